"""Writes a TOML document that both tomllib and toml 0.10.2, the engine's reader, read back unchanged.

toml 0.10.2 writes strings wrongly (a no-break space crashes it, "\\x41" changes) and reads some valid ones wrongly (an
escaped quote right at the start, a lone comma in a list). So strings are written here in the first of three valid
forms that both readers agree on, and the whole text is read back before it is given out.
"""

import json
import tomllib
from collections.abc import Callable, Mapping

import toml

from kohya_wrap.errors import PresetError

Tables = Mapping[str, object]

_CONTROL = {*map(chr, range(32)), "\x7f"}
_PLAIN = frozenset(" ./:_-")


def render(tables: Tables) -> str:
    """Give the text of a document. Values are tables, lists of tables, strings, numbers, booleans and flat lists.

    Raises PresetError for a value that TOML, or the engine's reader of it, cannot hold.
    """
    plain = {key: _checked(value, key) for key, value in tables.items()}
    encoder: toml.TomlEncoder[dict[str, object]] = toml.TomlEncoder()
    encoder.dump_funcs[str] = write_string
    text = toml.dumps(plain, encoder=encoder)
    if tomllib.loads(text) != plain or toml.loads(text) != plain:
        raise PresetError(
            "a value cannot be written so that sd-scripts reads it back unchanged",
            todo="remove quotes, backslashes and control characters from paths and names",
        )
    return text


def write_string(value: str) -> str:
    """Give a string as TOML that both readers read back, alone and in a list. Raises PresetError where there is none.

    There is none for a text that starts with two quotes and goes on with a control character.
    """
    for form in (_basic, _literal, _escaped):
        written = form(value)
        if _reads_back(written, value):
            return written
    raise PresetError(
        f"the text {value!r} cannot be written so that sd-scripts reads it back unchanged",
        todo="remove quotes, backslashes and control characters from it",
    )


def _basic(value: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literal(value: str) -> str:
    return f"'{value}'" if "'" not in value and not _CONTROL & set(value) else _basic(value)


def _escaped(value: str) -> str:
    written = ['"']
    before = ""
    for character in value:
        # The engine's reader takes a "u" after an escaped backslash for a Unicode escape.
        trap = before == "\\" and character in "uU"
        if character == "\\":
            written.append("\\\\")
        elif (character.isalnum() or character in _PLAIN) and not trap:
            written.append(character)
        else:
            written.append(f"\\U{ord(character):08x}")
        before = character
    return "".join((*written, '"'))


def _reads_back(written: str, value: str) -> bool:
    if written == f'"{value}"' and all(character.isalnum() or character in _PLAIN for character in value):
        return True  # nothing to get wrong; saves the two parsers on every plain path
    document = f'k = {written}\nl = [ {written}, "a", {written},]\n'
    expected = {"k": value, "l": [value, "a", value]}
    readers: tuple[Callable[[str], object], ...] = (tomllib.loads, toml.loads)
    try:
        return all(read(document) == expected for read in readers)
    except (tomllib.TOMLDecodeError, toml.TomlDecodeError, IndexError, ValueError):
        return False  # toml 0.10.2 fails in all these ways on strings it cannot read


def _checked(value: object, where: str) -> object:
    """Give a value that toml writes faithfully: no None, no lone surrogate, lists of one type."""
    if isinstance(value, Mapping):
        return {str(key): _checked(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return _homogeneous([_checked(entry, where) for entry in value], where)
    if isinstance(value, str):
        return _encodable(value, where)
    if isinstance(value, bool | int | float):
        return value
    raise PresetError(f"{value!r} cannot be written as TOML", where=where, todo="leave the key out")


def _homogeneous(entries: list[object], where: str) -> list[object]:
    kinds = {type(entry) for entry in entries}
    if kinds == {int, float}:
        # The engine's reader refuses [1, 0.5].
        return [float(entry) if isinstance(entry, int) else entry for entry in entries]
    if len(kinds) > 1:
        raise PresetError("a list mixes types", where=where, todo="make all entries texts, or all numbers")
    return entries


def _encodable(value: str, where: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PresetError(
            f"{value!r} is not valid Unicode", where=where, todo="rename the file or folder in UTF-8"
        ) from error
    return value
