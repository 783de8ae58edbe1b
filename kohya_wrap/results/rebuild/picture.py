"""A preset's values from a picture: train on the model that made it, sample with its prompt."""

from pathlib import Path

from kohya_wrap.presets import Given
from kohya_wrap.results.parameters import Parameters, Resource, read_parameters, to_text
from kohya_wrap.results.rebuild.draft import Draft

_ABOUT_A_MEGAPIXEL = 900_000


def given_by_picture(name: str, path: Path) -> Given:
    """Read a picture's parameters for the preset `name`. Raises DatasetError for a picture without."""
    return given_by_parameters(name, read_parameters(path), source=f"the picture {path.name}")


def given_by_parameters(name: str, parameters: Parameters, *, source: str) -> Given:
    """Take the base model by the picture's model hash, and as a sample its prompt with all its settings."""
    draft = Draft(name, source)
    _base_model(draft, parameters.model, parameters.settings.get("Model", ""))
    width, height = parameters.size or (0, 0)
    if width * height >= _ABOUT_A_MEGAPIXEL:  # from a model of SDXL's size, which learns nothing good at 512
        draft.put("processing.resolution", 1024)
    draft.put("samples.prompts", (to_text(parameters),))
    draft.note("The sample is the picture's prompt with its seed, size, sampler, steps and CFG scale.")
    draft.note("A picture does not tell what to train on: set dataset.images.")
    return draft.given()


def _base_model(draft: Draft, model: Resource | None, written: str) -> None:
    if model is not None and model.hash:
        draft.put("setup.optional_custom_training_model_url", model.hash)
        called = model.name or written or "without a name"
        draft.note(f"The model that made the picture, {called[:200]}, is found on Civitai by its hash.")
    elif model is not None and model.name:
        draft.note(f"The picture was made with {model.name[:200]}, but gives no hash to find it by: put a link.")
    else:
        draft.note("The picture does not say which model made it: put a link.")
