"""The JSON schema for editors."""

import json

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.config.docs import field_docs, table_types


def test_every_table_and_field_is_described() -> None:
    """An editor shows the docstring of each field."""
    schema = presets.schema()
    for name, kind in table_types(TrainConfig).items():
        reference = schema["properties"][name]["$ref"]
        table = schema["definitions"][reference.rpartition("/")[2]]
        assert table["description"]
        for key, text in field_docs(kind).items():
            assert table["properties"][key]["description"] == text


def test_limits_and_choices_are_there() -> None:
    """Completion and checks in the editor know what the loader knows."""
    definitions = presets.schema()["definitions"]
    assert definitions["ProcessingConfig"]["properties"]["resolution"]["multipleOf"] == 64
    assert "cosine_with_restarts" in definitions["LearningConfig"]["properties"]["lr_scheduler"]["enum"]
    assert definitions["StepsConfig"]["additionalProperties"] is False


def test_extends_is_allowed_and_nothing_required() -> None:
    """A preset that only says what differs from another is no error in the editor."""
    schema = presets.schema()
    assert schema["properties"]["extends"]["type"] == "string"
    assert "required" not in schema
    assert all("required" not in table for table in schema["definitions"].values())
    assert schema["additionalProperties"] is False


def test_it_is_plain_json_of_a_dialect_that_toml_servers_read() -> None:
    """It can be written to a file; every reference points into it."""
    text = json.dumps(presets.schema())
    schema = json.loads(text)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in text
    for table in schema["properties"].values():
        if "$ref" in table:
            assert table["$ref"].rpartition("/")[2] in schema["definitions"]


def test_asking_twice_gives_the_same() -> None:
    """The caller may change what it got."""
    first = presets.schema()
    first["properties"].clear()
    assert presets.schema()["properties"]
