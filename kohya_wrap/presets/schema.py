"""The JSON schema of a preset, for editors (taplo and others that complete and check TOML as it is typed)."""

import copy
from typing import Any

from kohya_wrap.config.docs import field_docs
from kohya_wrap.presets.names import PASSTHROUGH, fields_by_table
from kohya_wrap.presets.wording import model_schema

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that TOML language servers read."""


def schema() -> dict[str, Any]:
    """Give the JSON schema of a preset file, every table and field described.

    Nothing is required: what a preset lacks may come from the one it extends.
    """
    document: dict[str, Any] = copy.deepcopy(model_schema())
    _as_draft_07(document)
    definitions, properties = document["definitions"], document["properties"]
    for name, kind in fields_by_table().items():
        definition = definitions[kind.__name__]
        definition.pop("required", None)
        for key, text in field_docs(kind).items():
            definition["properties"][key]["description"] = text
        properties[name] = {"$ref": f"#/definitions/{kind.__name__}"}
    properties[PASSTHROUGH]["description"] = "Any other option of train_network.py, by its own name."
    properties["extends"] = {"type": "string", "description": "Name or path of the preset that this one builds on."}
    document.pop("required", None)
    return {"$schema": DIALECT, **document, "title": "kohya_wrap preset"}


def _as_draft_07(document: dict[str, Any]) -> None:
    document["definitions"] = document.pop("$defs")
    for definition in document["definitions"].values():
        for entry in definition["properties"].values():
            entry.pop("title", None)
        definition["title"] = definition["title"].removesuffix("Config").lower()
