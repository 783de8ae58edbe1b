"""A preset's TOML text from a picture: train on the model that made it, sample with its prompt."""

import re

from kohya_wrap.results.parameters.a1111 import to_text
from kohya_wrap.results.parameters.types import Parameters, Resource

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ABOUT_A_MEGAPIXEL = 900_000
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def preset_from_picture(parameters: Parameters, name: str) -> str:
    """Give the TOML text of a preset called `name`: base model by the picture's model hash, a sample by its settings.

    A picture that names no model hash gives a preset on the default base model, and a comment that says so.
    """
    model = parameters.model
    lines = [
        f"# kohya-wrap train {_comment(name)}",
        "# Made from a picture's generation parameters. Set dataset.images to the pictures to train on.",
        "",
        "[setup]",
        f"project_name = {_basic(project_name(name))}",
        *_base_model(model, parameters.settings.get("Model", "")),
        *_resolution(parameters),
        "",
        "[samples]",
        "# The picture's prompt with its seed, size, sampler, steps and CFG scale, as A1111 writes them.",
        f"prompts = [{_multi_line(to_text(parameters))}]",
    ]
    return "\n".join(lines) + "\n"


def project_name(name: str) -> str:
    """Give `name` without what the notebook forbids in a project's name: space . ( ) quotes and slashes."""
    return re.sub(r"[\s.()\"'\\/\x00-\x1f]+", "-", name).strip("-") or "from-picture"


def _base_model(model: Resource | None, written: str) -> list[str]:
    if model is not None and model.hash:
        called = model.name or written or "a model without a name"
        return [
            f"# The model that made the picture: {_comment(called)}; found on Civitai by this hash.",
            f"optional_custom_training_model_url = {_basic(model.hash)}",
        ]
    if model is not None and model.name:
        return [
            f"# The picture was made with {_comment(model.name)}, but gives no hash to find it by: put a link here."
        ]
    return ["# The picture does not say which model made it: put a link into optional_custom_training_model_url."]


def _resolution(parameters: Parameters) -> list[str]:
    """A picture of about a megapixel comes from a model of SDXL's size, which learns nothing good at 512."""
    width, height = parameters.size or (0, 0)
    return ["", "[processing]", "resolution = 1024"] if width * height >= _ABOUT_A_MEGAPIXEL else []


def _comment(text: str) -> str:
    return _SURROGATE.sub("?", re.sub(r"[\x00-\x1f\x7f]+", " ", text))[:200]


def _escaped(text: str) -> str:
    text = _SURROGATE.sub("\ufffd", text.replace("\\", "\\\\"))
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _basic(text: str) -> str:
    return '"' + _escaped(text).replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def _multi_line(text: str) -> str:
    """Write a TOML multi-line string: as the picture has it, readable in a diff. The first line break is TOML's own."""
    return '"""\n' + _escaped(text).replace('"', '\\"') + '"""'
