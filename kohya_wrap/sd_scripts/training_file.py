"""job -> the training TOML, as a pure function."""

from collections.abc import Mapping

from kohya_wrap.errors import PresetError
from kohya_wrap.sd_scripts.differences import DIFFERENCES
from kohya_wrap.sd_scripts.job import TrainingJob
from kohya_wrap.sd_scripts.notebook_values import Section, notebook_training
from kohya_wrap.sd_scripts.option_owners import PATH_OPTIONS
from kohya_wrap.sd_scripts.sample_prompts import sample_options
from kohya_wrap.sd_scripts.toml_text import render

OWN_SECTION = "kohya_wrap"
PASSED_THROUGH = "sd_scripts"


def training_toml(job: TrainingJob) -> str:
    """Give the text of the file that --config_file names.

    The notebook's file, then DIFFERENCES, then the family's fixed arguments, then [sd_scripts], which wins. With
    extras.override_config_file it is that file, but for paths, name, base model and seed. Raises PresetError where
    a value cannot be written.
    """
    if job.config.extras.override_config_file:
        return render(_overridden(job))
    sections = notebook_training(job)
    if job.config.engine.fidelity != "notebook":
        for difference in DIFFERENCES:
            put(sections, difference.section, difference.key, difference.value(job))
    _put_model_parts(sections, job)
    for key, value in (_states(job) | _going_on(job) | sample_options(job)).items():
        put(sections, "training_arguments", key, value)
    for key, value in job.family.fixed_arguments.items():
        put(sections, "model_arguments", key, value)
    for section in sections:
        for key in job.family.left_out:
            put(sections, section, key, None)
    return render(_with_passed_through(sections, _placed(job)))


def put(sections: dict[str, Section], section: str, key: str, value: object | None) -> None:
    """Set a key where it stands, else at the end of `section`; None takes it out."""
    if value is None:
        sections[section].pop(key, None)
    else:
        sections[section][key] = value


def _states(job: TrainingJob) -> Section:
    """Give what saves a state every N steps, the newest ones kept.

    The engine saves a LoRA with each; of those the newest alone stays. Nothing can go on from a state of the last step:
    where there will be one, another is kept.
    """
    training, length = job.config.training, job.steps
    every = training.save_state_every_n_steps
    if not (training.save_state and every):
        return {}
    last_is_saved = (length.total_steps - job.uncounted) % every == 0
    # The engine takes the width of the window in steps, the newest state not counted.
    window = every * (training.keep_only_last_n_states - (0 if last_is_saved else 1))
    return {"save_every_n_steps": every, "save_last_n_steps": 0, "save_last_n_steps_state": window}


def _going_on(job: TrainingJob) -> Section:
    """Give what makes the engine go on; without initial_step it would count from the steps of the last part alone.

    Only in the midst of an epoch are its first batches to be left out.
    """
    going_on = job.continuation
    if going_on is None:
        return {}
    options: Section = {"resume": str(going_on.state), "initial_step": going_on.steps}
    return options | ({"skip_until_initial_step": True} if going_on.steps > going_on.uncounted else {})


def _put_model_parts(sections: dict[str, Section], job: TrainingJob) -> None:
    for key, path in (("vae", job.vae), ("tokenizer_cache_dir", job.tokenizer_dir)):
        put(sections, "model_arguments", key, None if path is None else str(path))


def _with_passed_through(sections: dict[str, Section], given: Mapping[str, object]) -> dict[str, Section]:
    """Put [sd_scripts] last; an option stands once, because the engine takes the last one without a word."""
    passed: Section = dict(given)
    if "network_args" in passed:
        network = sections["additional_network_arguments"]
        passed["network_args"] = [*_texts(network.get("network_args")), *_texts(passed["network_args"])]
    kept = {
        name: {key: value for key, value in section.items() if key not in passed} for name, section in sections.items()
    }
    return kept | {PASSED_THROUGH: passed} if passed else kept


def _placed(job: TrainingJob) -> Section:
    """Give [sd_scripts] with its paths made absolute."""
    placed: Section = dict(job.config.sd_scripts)
    for key in PATH_OPTIONS & placed.keys():
        value = placed[key]
        placed[key] = job.place(value) if isinstance(value, str) else [job.place(path) for path in _texts(value)]
    return placed


def _texts(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list | tuple) else []


def _overridden(job: TrainingJob) -> dict[str, object]:
    given = job.overrides.training
    if given is None:
        raise PresetError(
            "was named, but not read", where="extras.override_config_file", todo="pass overrides=read_overrides(…)"
        )
    own = _own_values(job)
    kept: dict[str, object] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            kept[name] = {key: entry for key, entry in value.items() if key not in own}
        elif name not in own:
            kept[name] = value
    return kept | {OWN_SECTION: own}


def _own_values(job: TrainingJob) -> Section:
    """What a run of ours needs to be ours: where it writes, what it is called, what it trains on, and the seed."""
    name = job.config.setup.project_name
    own: Section = {
        "output_dir": str(job.run.staging),
        "logging_dir": str(job.run.log_dir),
        "output_name": name,
        "log_prefix": name,
        "pretrained_model_name_or_path": str(job.base_model.path),
        "seed": job.config.training.seed,
        "save_model_as": "safetensors",
        "console_log_simple": True,
    }
    parts = {"vae": job.vae, "tokenizer_cache_dir": job.tokenizer_dir}
    return (
        own | _going_on(job) | sample_options(job) | {key: str(path) for key, path in parts.items() if path is not None}
    )
