"""How a picture was made: `read_parameters` of a file, `parse_text` of pasted text, `to_text` back again."""

from kohya_wrap.results.parameters.a1111 import parse_text, to_text, webui_fields
from kohya_wrap.results.parameters.read import read_parameters
from kohya_wrap.results.parameters.types import Parameters, Resource, ResourceKind

__all__ = [
    "Parameters",
    "Resource",
    "ResourceKind",
    "parse_text",
    "read_parameters",
    "to_text",
    "webui_fields",
]
