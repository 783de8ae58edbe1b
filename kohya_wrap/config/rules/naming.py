"""Rules of [setup]: the project's name and the base model."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.rules.rule import Rule, Stated, unused, warning
from kohya_wrap.errors import Problem

NAME = "setup.project_name"
FORBIDDEN = " .()\"'\\/"
"""Source: Lora_Trainer's check of the project name."""

_WINDOWS_CHARACTERS = "<>:|?*"
_WINDOWS_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_LOGS = "_logs"
_LONGEST = 200
"""In bytes of UTF-8: a file name has 255, and an epoch's number and the ending are added."""


def check_project_name(name: str) -> Iterator[Problem]:
    """Yield what forbids a project name, and what another system would not take."""
    if not name.strip():
        yield Problem(NAME, "is empty", 'give the project a name, for example project_name = "my-lora"')
        return
    bad = sorted({character for character in name if character in FORBIDDEN})
    if bad:
        listed = " ".join("space" if character == " " else character for character in bad)
        todo = f'for example "{_suggestion(name)}"' if _suggestion(name) else "use letters, digits, - and _"
        yield Problem(NAME, f"{name!r} holds characters that it cannot have: {listed}", todo)
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        yield Problem(NAME, f"{name!r} holds control characters", "type the name again by hand")
    if name.startswith("-"):
        yield Problem(NAME, f"{name!r} starts with a dash, which programs read as an option", "start it with a letter")
    if name == _LOGS:
        yield Problem(NAME, f"{name!r} is the folder of all logs", "choose another name")
    if len(name.encode("utf-8", "replace")) > _LONGEST:
        yield Problem(NAME, "is too long for the file names made from it", f"keep it under {_LONGEST} bytes")
    if name.lower() in _WINDOWS_NAMES or any(character in _WINDOWS_CHARACTERS for character in name):
        yield warning(NAME, f"Windows cannot have files called {name!r}", "choose another if the LoRA is to go there")


def _suggestion(name: str) -> str:
    return "".join("_" if character in FORBIDDEN else character for character in name.strip()).strip("_")


def _project_name(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    yield from check_project_name(config.setup.project_name)


def _base_model(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    setup = config.setup
    if setup.optional_custom_training_model_url:
        if stated("setup.training_model"):
            what = f"{setup.training_model!r} is not used: optional_custom_training_model_url wins"
            yield warning("setup.training_model", what, "remove one of the two")
    elif setup.training_model == "Tiny random" and config.engine.name != "embedded":
        todo = 'set engine.name = "embedded", or choose a real base model'
        yield Problem("setup.training_model", "only the embedded engine trains the toy base model", todo)


def _sd2(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    setup = config.setup
    if not setup.custom_model_is_based_on_sd2:
        return
    if not setup.optional_custom_training_model_url:
        what = f"{setup.training_model!r} is no Stable Diffusion 2 model"
        todo = "give the model in setup.optional_custom_training_model_url, or set this to false"
        yield Problem("setup.custom_model_is_based_on_sd2", what, todo)
    if config.training.clip_skip != 1:
        what = (
            f"{config.training.clip_skip} is for Stable Diffusion 1 anime models; version 2 has its own layer cut off"
        )
        yield warning("training.clip_skip", what, "set training.clip_skip = 1")
    v_prediction = config.sd_scripts.get("v_parameterization", True)
    if v_prediction and config.processing.resolution < 768:
        what = f"{config.processing.resolution} is small for a version 2 model with v-prediction, which was made at 768"
        todo = "set it to 768; for a 512-base model set v_parameterization = false under [sd_scripts] instead"
        yield warning("processing.resolution", what, todo)


def _sdxl(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    setup = config.setup
    own, flag, v_flag = (
        setup.optional_custom_training_model_url,
        "setup.custom_model_is_sdxl",
        "setup.custom_model_is_vpred",
    )
    if setup.custom_model_is_sdxl and setup.custom_model_is_based_on_sd2:
        yield Problem(flag, "a model cannot be both, SDXL and version 2", "set one of the two to false")
    elif setup.custom_model_is_sdxl and not own and setup.family != "sdxl":
        what = f"{setup.training_model!r} is no SDXL model"
        yield Problem(flag, what, "give one in setup.optional_custom_training_model_url, or set this to false")
    if setup.custom_model_is_vpred and not (own and setup.custom_model_is_sdxl):
        yield from unused(stated, v_flag, "without a custom SDXL model")
    if setup.family != "sdxl":
        return
    if config.processing.resolution < 768:
        what = f"{config.processing.resolution} is small for an SDXL model, which was made at 1024"
        yield warning("processing.resolution", what, "set it to 1024")
    yield from unused(stated, "training.clip_skip", "with SDXL, which always reads the last layer but one")
    yield from unused(stated, "training.weighted_captions", "with SDXL in sd-scripts")
    if config.engine.fidelity == "notebook":
        what = 'is Lora_Trainer\'s; "notebook" is not known for Lora_Trainer_XL'
        yield Problem("engine.fidelity", what, 'set engine.fidelity = "hardware"')


RULES: tuple[Rule, ...] = (_project_name, _base_model, _sd2, _sdxl)
