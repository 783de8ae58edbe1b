"""What a field may be, in plain words, from its JSON schema."""

import re
from collections.abc import Mapping
from functools import cache

from kohya_wrap.config import TrainConfig
from kohya_wrap.presets.names import nearest

Schema = Mapping[str, object]

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text in quotes",
    "array": "a list of texts",
    "object": "a table",
}


@cache
def model_schema() -> dict[str, object]:
    """Give pydantic's JSON schema of a preset, before kohya_wrap adds to it."""
    return TrainConfig.model_json_schema()


def field_schema(table: str, key: str) -> Schema:
    """Give the schema of one field."""
    return _mapping(_mapping(definition(table)["properties"])[key])


def definition(table: str) -> Schema:
    """Give the schema of one table, its reference resolved."""
    reference = str(_mapping(_mapping(model_schema()["properties"])[table])["$ref"])
    return _mapping(_mapping(model_schema()["$defs"])[reference.rpartition("/")[2]])


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)  # noqa: S101 - pydantic's own output
    return value


def describe(schema: Schema) -> str:
    """Say what a value may be: its type, its limits, or the values to choose from."""
    choices = schema.get("enum")
    if isinstance(choices, list):
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    members = schema.get("anyOf")
    if isinstance(members, list):
        described = list(dict.fromkeys(describe(_mapping(member)) for member in members))
        return _shorter(described) if len(described) > 1 else described[0]
    if schema.get("pattern") == "^([0-9a-f]{64})?$":
        return "64 hexadecimal digits in small letters, or empty"
    if schema.get("minLength"):
        return "a text that is not empty"
    return " ".join([_TYPES[str(schema["type"])], *_limits(schema)])


def _shorter(described: list[str]) -> str:
    """Join what several types may be; a whole number is a number."""
    numbers = [text.replace("whole ", "", 1) for text in described]
    return numbers[0] if len(set(numbers)) == 1 else " or ".join(described)


def _limits(schema: Schema) -> list[str]:
    words = {
        "minimum": "of at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "and at most {}" if "minimum" in schema else "of at most {}",
        "exclusiveMaximum": "and below {}" if "minimum" in schema else "below {}",
        "multipleOf": "that {} divides",
    }
    return [text.format(schema[key]) for key, text in words.items() if key in schema]


def hint(value: object, schema: Schema) -> str:
    """Say how a wrong value was probably meant."""
    text = describe(schema)
    if isinstance(value, str):
        return _hint_for_text(value, text)
    if isinstance(value, float) and "whole number" in text and value.is_integer():
        return f"write {int(value)}"
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float) and ("text" in text or "one of" in text):
        return f'put it in quotes: "{value}"'
    if isinstance(value, int):
        return _near_multiple(value, schema.get("multipleOf"))
    return ""


def _hint_for_text(value: str, text: str) -> str:
    if "number" in text and _is_number(value):
        return f"remove the quotes: {value}"
    if "true or false" in text and value.lower() in ("true", "false"):
        return f"remove the quotes: {value.lower()}"
    if "list of texts" in text:
        return f'write it as a list: ["{value}"]'
    if text.startswith("one of"):
        return _hint_for_choice(value, re.findall('"([^"]+)"', text))
    return ""


def _hint_for_choice(value: str, choices: list[str]) -> str:
    """Give the choice that was meant: the notebook's own texts hold it ("Anime (animefull-final-…)")."""
    held = [choice for choice in choices if choice.lower() in value.lower()]
    near = max(held, key=len) if held else nearest(value, choices)
    return f'did you mean "{near}"?' if near else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _near_multiple(value: int, step: object) -> str:
    if not isinstance(step, int | float) or step <= 0 or value <= step:
        return ""
    below = int(value // step * step)
    return f"for example {below} or {int(below + step)}" if value % step else ""
