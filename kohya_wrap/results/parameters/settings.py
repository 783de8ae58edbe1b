"""The settings line: `Steps: 24, Sampler: Euler a, Lora hashes: "a: 0123", Hashes: {"model": "ab"}`.

Grammar from A1111's infotext reader and Civitai's, written anew. Every pattern is linear in the length of its text,
because a picture's text is written by strangers: keys are whole runs of key characters (the lookbehind), repeats that
could be retried are possessive (`++`), and reading JSON gives up after a few values that turn out to be none.
"""

import json
import re
from collections.abc import Iterator, Mapping

_KEY = re.compile(r"(?<![\w \-/])[ \-/]*+(\w[\w \-/]++):[ \t]*+")
_QUOTED = re.compile(r'"((?:\\.|[^\\"])*+)"[ \t]*+(?=,|\n|\Z)', re.DOTALL)
_PLAIN = re.compile(r"[^,\n]*+")
_TEMPLATE_END = re.compile(r"(?:,[ \t]{0,4}+|\n)(?=[A-Z][\w \-/]{1,60}+:\s)")
_AFTER_JSON = re.compile(r"[ \t]*+(?=,|\n|\Z)")
_JUNK = frozenset({"Resources", "Hashed prompt", "Hashed Negative prompt"})
_TEMPLATES = frozenset({"Template", "Negative Template"})
_BARE_JSON = frozenset({"Hashes", "Civitai resources", "Civitai metadata"})
_JSON_TRIES = 20
_DECODER = json.JSONDecoder()


def count_pairs(line: str, *, at_most: int) -> int:
    """Count the `key: value` pairs of a line, up to `at_most`."""
    count = 0
    for _ in _pairs(line):
        count += 1
        if count == at_most:
            break
    return count


def read_settings(text: str) -> dict[str, str]:
    """Read a settings block, of one line or more, into ordered text values.

    A repeated key keeps its first place and its last value, as in the WebUI. Civitai's junk keys are left out.
    """
    return {key: value for key, value in _pairs(text) if key not in _JUNK}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    place, tries = 0, _JSON_TRIES
    while match := _KEY.search(text, place):
        key = match[1].strip()
        value, place, failed = _value(text, match.end(), key, read_json=tries > 0)
        tries -= failed
        if len(key) > 1:
            yield key, value
        place += 1  # past the comma or line break


def _value(text: str, start: int, key: str, *, read_json: bool) -> tuple[str, int, int]:
    """Give (value, where it ends, 1 if it looked like JSON and was none)."""
    failed = 0
    if key in _TEMPLATES and not text.startswith('"', start):
        end = match.start() if (match := _TEMPLATE_END.search(text, start)) else len(text)
        return text[start:end].strip(), end, 0
    if match := _QUOTED.match(text, start):
        return _unquoted(match[0].rstrip()), match.end(), 0
    if read_json and text.startswith(("{", "["), start):
        if (end := _json_end(text, start)) > start:
            return text[start:end], _end_of_blank(text, end), 0
        failed = 1
    match = _PLAIN.match(text, start)
    end = match.end() if match else start
    return text[start:end].strip(), end, failed


def _json_end(text: str, start: int) -> int:
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return start
    return end if _AFTER_JSON.match(text, end) else start


def _end_of_blank(text: str, end: int) -> int:
    match = _AFTER_JSON.match(text, end)
    return match.end() if match else end


def _unquoted(quoted: str) -> str:
    try:
        value = json.loads(quoted, strict=False)
    except ValueError:
        return quoted
    return value if isinstance(value, str) else quoted


def write_settings(settings: Mapping[str, str]) -> str:
    """Write settings on one line, in order; `read_settings` gives them back."""
    return ", ".join(f"{key}: {_written(key, value)}" for key, value in settings.items())


def _written(key: str, value: str) -> str:
    if key in _BARE_JSON and value.startswith(("{", "[")) and "\n" not in value and _json_end(value, 0) == len(value):
        return value
    if not value and key not in _TEMPLATES:
        return value
    needs_quotes = (
        any(mark in value for mark in ",\n\r:")
        or value.startswith(('"', "{", "["))
        or value != value.strip()
        or (key in _TEMPLATES)
    )
    return json.dumps(value, ensure_ascii=False) if needs_quotes else value
