"""Where presets lie, and what one preset file says."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap.errors import PresetError
from kohya_wrap.files import kind_of
from kohya_wrap.paths import expanded, package_data
from kohya_wrap.presets.names import nearest

ENDING = ".toml"


@dataclass(frozen=True, slots=True)
class PresetFile:
    """One preset file as read: its tables, nothing checked; `extends` is the name or path it builds on, if any."""

    path: Path
    tables: dict[str, object]
    extends: str | None


@dataclass(frozen=True, slots=True)
class ListedPreset:
    """One preset that can be named. `description` comes from the file's first comment."""

    name: str
    path: Path
    description: str


def default_dirs(root: Path | None = None) -> tuple[Path, ...]:
    """Give the folders that names are looked up in: ./presets, `root`'s, then those that come with kohya_wrap."""
    places = [Path("presets").absolute(), *([root.absolute() / "presets"] if root else []), package_data("presets")]
    found: dict[Path, Path] = {}
    for place in places:
        found.setdefault(place.resolve(), place)
    return tuple(found.values())


def find_preset(name_or_path: str | Path, *, dirs: Sequence[Path] | None = None) -> Path:
    """Give the absolute path of a preset: a .toml file by its path, else a name looked up in `dirs`, in order.

    Raises PresetError with the names there are, the nearest one first.
    """
    text = str(name_or_path)
    direct = expanded(text)
    if text.endswith(ENDING) and kind_of(direct) == "file":
        return direct.absolute()
    places = default_dirs() if dirs is None else dirs
    if _is_name(text):
        for place in places:
            candidate = place / (text.removesuffix(ENDING) + ENDING)
            if kind_of(candidate) == "file":
                return candidate.absolute()
    if kind_of(direct) == "folder":
        raise PresetError("is a folder, not a preset", where=text, todo="name a .toml file")
    if text.endswith(ENDING) and not _is_name(text):
        raise PresetError("there is no such preset file", where=text, todo="see `kohya-wrap presets list`")
    if not _is_name(text) and kind_of(direct) == "file":
        raise PresetError("is no preset: its name does not end in .toml", where=text, todo="name a .toml file")
    raise _no_preset(text.removesuffix(ENDING), places)


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and "\\" not in text


def _no_preset(name: str, dirs: Sequence[Path]) -> PresetError:
    names = [listed.name for listed in list_presets(dirs)]
    near = nearest(name, names)
    known = f"the presets are: {', '.join(names)}" if names else "no preset was found in any folder"
    todo = f'did you mean "{near}"? {known}' if near else known
    return PresetError(f"there is no preset called {name!r}", todo=todo)


def list_presets(dirs: Sequence[Path] | None = None) -> list[ListedPreset]:
    """Give every preset that can be named, by name; where two have one name, the first folder's."""
    found: dict[str, ListedPreset] = {}
    for place in default_dirs() if dirs is None else dirs:
        for path in sorted(place.glob("*" + ENDING)):
            found.setdefault(path.stem, ListedPreset(path.stem, path, _description(path)))
    return [found[name] for name in sorted(found)]


def _description(path: Path) -> str:
    """Give the first sentence of the comment a file opens with, the command in it left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return "(cannot be read)"
    words: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if re.match(r"(make|kohya-wrap) ", text) or (not text and not words):
            continue
        if not text:
            break
        words.append(text)
    sentence = re.match(r".*?[.!?](?= |$)", joined := " ".join(words))
    return sentence.group() if sentence else joined


def read_preset(path: Path) -> PresetFile:
    """Read one preset file. Raises PresetError with file:line where it is no TOML, and where it is not UTF-8.

    A byte-order mark and Windows line ends are taken as they are meant.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise PresetError(what, where=str(path), todo="check the path and its permissions") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PresetError(
            f"is not UTF-8 text (byte {error.object[error.start]:#04x})",
            where=f"{path}:{line}",
            todo="save the file as UTF-8 in your editor",
        ) from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from error
    return PresetFile(path, tables, _extends(path, tables.pop("extends", None)))


def _extends(path: Path, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    todo = 'for example extends = "character", above the first table'
    raise PresetError(f"must be the name or path of one preset, not {value!r}", where=f"{path}: extends", todo=todo)


def _syntax_error(path: Path, text: str, message: str) -> PresetError:
    """Give tomllib's message with the place in the file and the line itself."""
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = int(match.group(1)) if match and match.group(1) else text.count("\n") + 1
    plain = message[: match.start()] if match else message
    lines = text.split("\n")
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    what = f"is no TOML: {plain[:1].lower()}{plain[1:]}" + (f", in {shown!r}" if shown else "")
    return PresetError(what, where=f"{path}:{line}", todo=_syntax_advice(plain, shown))


def _syntax_advice(message: str, line: str) -> str:
    if "Cannot overwrite" in message or "Cannot declare" in message:
        return "keep one of the two; a key or a table can be there once"
    if "\\" in line and '"' in line:
        return "write paths with / or in single quotes: in double quotes \\ starts a code"
    if re.match(r"[\w.-]+\s*=\s*(True|False)\b", line):
        return "write true and false in small letters"
    if re.match(r"[\w.-]+\s*=\s*[^\s\"'\[{\d+-]", line):
        return 'text values need quotes: key = "value"'
    return 'a line is [table] or key = value; text values need quotes: key = "value"'
