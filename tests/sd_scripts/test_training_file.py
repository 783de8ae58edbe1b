"""The training file against what the facts say of the notebook's, and the table of differences."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_hardware import CPU, GPU
from helpers_sd_scripts import SHAPES, Shape, flat, make_job

from kohya_wrap.config import ExtrasConfig
from kohya_wrap.errors import PresetError
from kohya_wrap.sd_scripts import check_overrides, read_overrides, training_toml
from kohya_wrap.sd_scripts.differences import DIFFERENCES
from kohya_wrap.sd_scripts.job import Continuation, Overrides

SECTIONS = [
    "additional_network_arguments",
    "optimizer_arguments",
    "training_arguments",
    "model_arguments",
    "saving_arguments",
    "dreambooth_arguments",
    "dataset_arguments",
]

# From facts/lora-trainer-fields.md: the fields' defaults and what is set without asking.
NOTEBOOK_DEFAULTS: Mapping[str, object] = {
    "unet_lr": 5e-4,
    "text_encoder_lr": 1e-4,
    "network_dim": 16,
    "network_alpha": 8,
    "network_module": "networks.lora",
    "learning_rate": 5e-4,
    "lr_scheduler": "cosine_with_restarts",
    "lr_scheduler_num_cycles": 3,
    "lr_warmup_steps": 2,
    "optimizer_type": "AdamW8bit",
    "max_train_epochs": 10,
    "save_every_n_epochs": 1,
    "save_last_n_epochs": 10,
    "train_batch_size": 2,
    "clip_skip": 2,
    "min_snr_gamma": 5.0,
    "weighted_captions": False,
    "seed": 42,
    "max_token_length": 225,
    "xformers": True,
    "lowram": True,
    "max_data_loader_n_workers": 8,
    "persistent_data_loader_workers": True,
    "save_precision": "fp16",
    "mixed_precision": "fp16",
    "output_name": "lakto-lora",
    "log_prefix": "lakto-lora",
    "v2": False,
    "save_model_as": "safetensors",
    "prior_loss_weight": 1.0,
    "cache_latents": True,
}
PATHS = {"output_dir", "logging_dir", "pretrained_model_name_or_path"}


def written(shape: Shape | None = None, **tables: Mapping[str, object]) -> dict[str, object]:
    return flat(training_toml(make_job(shape or Shape(tables))))


def test_notebook_fidelity_writes_the_notebooks_values() -> None:
    """With the defaults and fidelity "notebook", keys and values are the notebook's, none more, none less."""
    values = written(SHAPES["notebook"])
    assert {key: value for key, value in values.items() if key not in PATHS} == NOTEBOOK_DEFAULTS
    assert values.keys() >= PATHS


def test_notebook_fidelity_keeps_the_types() -> None:
    """Whole numbers are written as whole numbers, as the notebook's sliders give them."""
    values = written(SHAPES["notebook"])
    assert {key for key in NOTEBOOK_DEFAULTS if type(values[key]) is not type(NOTEBOOK_DEFAULTS[key])} == set()


@pytest.mark.parametrize("name", ["one-image", "notebook"])
def test_sections_are_the_notebooks(name: str) -> None:
    """The seven tables stand in the notebook's order."""
    assert list(tomllib.loads(training_toml(make_job(SHAPES[name])))) == SECTIONS


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith(("notebook", "override"))])
def test_only_the_table_differs(name: str) -> None:
    """Whatever a file of ours says otherwise than with fidelity "notebook" is in DIFFERENCES."""
    shape = SHAPES[name]
    tables = {key: dict(value) for key, value in shape.tables.items()}
    tables.setdefault("engine", {})["fidelity"] = "notebook"
    ours, theirs = written(shape), written(replace(shape, tables=tables))
    differing = {key for key in ours.keys() | theirs.keys() if ours.get(key, ...) != theirs.get(key, ...)}
    assert differing <= {difference.key for difference in DIFFERENCES}


def test_every_difference_is_told() -> None:
    """Each row says what the notebook writes, what we write and why; no key stands twice."""
    assert all(d.notebook and d.ours and d.why for d in DIFFERENCES)
    assert len({d.key for d in DIFFERENCES}) == len(DIFFERENCES)


def test_hardware_decides() -> None:
    """On the CPU: no xformers, sdpa, no half precision, no 8 bits, no workers."""
    values = written(SHAPES["cpu"])
    assert "xformers" not in values
    expected = {
        "sdpa": True,
        "mixed_precision": "no",
        "optimizer_type": "AdamW",
        "max_data_loader_n_workers": 0,
        "persistent_data_loader_workers": False,
        "lowram": False,
    }
    assert {key: values[key] for key in expected} == expected


def test_console_log_simple_is_always_on() -> None:
    """What rich logs changes the result, so it is off in every file but the notebook's."""
    assert all(written(shape)["console_log_simple"] for name, shape in SHAPES.items() if "notebook" not in name)


def test_text_encoder_lr_0_trains_the_unet_only() -> None:
    """text_encoder_lr = 0 is written, with network_train_unet_only; else that key is left out."""
    values = written(learning={"text_encoder_lr": 0})
    assert (values["text_encoder_lr"], values["network_train_unet_only"]) == (0, True)
    assert "network_train_unet_only" not in written()


def test_zeros_survive() -> None:
    """Seed 0, a warm-up of 0 and a learning rate of 0 are values."""
    values = written(SHAPES["zeros"])
    assert (values["seed"], values["lr_warmup_steps"], values["text_encoder_lr"]) == (0, 0, 0)


def test_warmup_is_a_whole_number() -> None:
    """lr_warmup_steps is an int: the engine takes a float for a ratio."""
    assert all(type(written(shape).get("lr_warmup_steps", 0)) is int for shape in SHAPES.values())


def test_zero_epochs_between_saves() -> None:
    """save_every_n_epochs and keep_only_last_n_epochs 0 are left out; the notebook writes the number of epochs."""
    assert not {"save_every_n_epochs", "save_last_n_epochs"} & written(SHAPES["zeros"]).keys()
    notebook = written(SHAPES["notebook-zeros"])
    assert (notebook["save_every_n_epochs"], notebook["save_last_n_epochs"]) == (10, 10)


def test_token_length_75_is_the_engines_default() -> None:
    """max_token_length 75 leaves the key out: the engine knows 150 and 225."""
    assert "max_token_length" not in written(SHAPES["zeros"])
    assert written(training={"max_token_length": 150})["max_token_length"] == 150


@pytest.mark.parametrize(
    ("scheduler", "present", "absent"),
    [
        ("constant", set(), {"lr_warmup_steps", "lr_scheduler_num_cycles", "lr_scheduler_power"}),
        ("polynomial", {"lr_warmup_steps", "lr_scheduler_power"}, {"lr_scheduler_num_cycles"}),
        ("cosine_with_restarts", {"lr_warmup_steps", "lr_scheduler_num_cycles"}, {"lr_scheduler_power"}),
        ("linear", {"lr_warmup_steps"}, {"lr_scheduler_num_cycles", "lr_scheduler_power"}),
    ],
)
def test_schedulers_leave_out_what_they_do_not_use(scheduler: str, present: set[str], absent: set[str]) -> None:
    """Each scheduler has the keys that the notebook gives it."""
    keys = written(learning={"lr_scheduler": scheduler}).keys()
    assert keys >= present
    assert not keys & absent


def test_epochs_or_steps() -> None:
    """Exactly one of max_train_epochs and max_train_steps is written."""
    assert "max_train_steps" not in written()
    by_steps = written(steps={"preferred_unit": "Steps", "how_many": 7})
    assert by_steps["max_train_steps"] == 7
    assert "max_train_epochs" not in by_steps


@pytest.mark.parametrize(
    ("lora_type", "module", "arguments"),
    [
        ("LoRA", "networks.lora", None),
        ("LoCon", "networks.lora", ["conv_dim=8", "conv_alpha=4"]),
        ("LoCon Lycoris", "lycoris.kohya", ["conv_dim=8", "conv_alpha=4", "algo=lora"]),
        ("LoHa Lycoris", "lycoris.kohya", ["conv_dim=8", "conv_alpha=4", "algo=loha"]),
    ],
)
def test_kinds_of_lora(lora_type: str, module: str, arguments: list[str] | None) -> None:
    """Each lora_type has its module and arguments; alphas are written without a point."""
    values = written(structure={"lora_type": lora_type})
    assert (values["network_module"], values.get("network_args")) == (module, arguments)


def test_conv_compression_takes_effect() -> None:
    """conv_compression becomes use_tucker: today's LyCORIS ignores the notebook's disable_conv_cp=False."""
    structure = {"lora_type": "LoHa Lycoris", "conv_compression": True}
    arguments = written(structure=structure)["network_args"]
    assert isinstance(arguments, list)
    assert arguments[-1] == "use_tucker=True"


def test_prodigy_is_overridden_as_in_the_notebook() -> None:
    """Prodigy: learning rates 0.5, constant_with_warmup, alpha = dim, the notebook's arguments in its order."""
    values = written(SHAPES["character-prodigy"])
    expected = {
        "unet_lr": 0.5,
        "text_encoder_lr": 0.5,
        "learning_rate": 0.5,
        "lr_scheduler": "constant_with_warmup",
        "network_alpha": 16,
        "optimizer_args": [
            "decouple=True",
            "weight_decay=0.01",
            "betas=[0.9,0.999]",
            "d_coef=2",
            "use_bias_correction=True",
            "safeguard_warmup=True",
        ],
    }
    assert {key: values[key] for key in expected} == expected


def test_sd2_sets_v_prediction() -> None:
    """custom_model_is_based_on_sd2 sets v2 and v_parameterization; else v2 = false and nothing more."""
    values = written(SHAPES["sd2"])
    assert (values["v2"], values["v_parameterization"]) == (True, True)
    assert "v_parameterization" not in written()


def test_passed_through_options_come_last_and_win() -> None:
    """[sd_scripts] is the last table, keeps 0 and false, and takes its keys out of the tables before it."""
    shape = Shape({"setup": {"custom_model_is_based_on_sd2": True}, "sd_scripts": {"v_parameterization": False}})
    tables = tomllib.loads(training_toml(make_job(shape)))
    assert list(tables)[-1] == "sd_scripts"
    assert tables["sd_scripts"] == {"v_parameterization": False}
    assert "v_parameterization" not in tables["model_arguments"]


def test_network_args_are_appended() -> None:
    """network_args under [sd_scripts] follow those of the field."""
    values = written(SHAPES["passed-through"])
    assert values["network_args"] == ["conv_dim=8", "conv_alpha=4", "loraplus_lr_ratio=4", "rank_dropout=0.1"]


def test_paths_are_ours_in_both_fidelities() -> None:
    """output_dir is the run's staging folder and logging_dir the run's own, whichever fidelity."""
    for name in ("one-image", "notebook"):
        job = make_job(SHAPES[name])
        values = flat(training_toml(job))
        assert (values["output_dir"], values["logging_dir"]) == (str(job.run.staging), str(job.run.log_dir))


def test_tokenizer_and_vae_are_given_where_known() -> None:
    """tokenizer_cache_dir and vae are written when the job has them, and left out otherwise."""
    values = written(SHAPES["cpu"])
    assert (values["tokenizer_cache_dir"], values["vae"]) == ("/home/me/tokenizers", "/models/vae.safetensors")
    assert not {"tokenizer_cache_dir", "vae"} & written().keys()


def test_an_override_file_is_kept_but_for_what_is_ours() -> None:
    """The file's own values stay; paths, name, base model and seed are the run's."""
    job = make_job(SHAPES["override"])
    values = flat(training_toml(job))
    assert values["output_dir"] == str(job.run.staging)
    assert values["seed"] == 7
    assert values["network_module"] == "networks.dylora"
    assert "unet_lr" not in values


def test_an_override_that_was_not_read_is_an_error() -> None:
    """A named override file is never silently left out."""
    shape = Shape({"extras": {"override_config_file": "mine.toml"}}, choices=GPU)
    with pytest.raises(PresetError, match="override_config_file"):
        training_toml(make_job(shape))


def test_override_files_are_read(tmp_path: Path) -> None:
    """Relative paths start at the root, and a byte-order mark does not swallow the first key."""
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbfseed = 1\n")
    overrides = read_overrides(ExtrasConfig(override_config_file="mine.toml"), root=tmp_path)
    assert overrides.training == {"seed": 1}
    assert overrides.dataset is None


def test_unreadable_override_files_come_all_at_once(tmp_path: Path) -> None:
    """A missing file and a file that is no TOML are two problems of one error."""
    (tmp_path / "bad.toml").write_text("seed = = 1\n")
    extras = ExtrasConfig(override_config_file="bad.toml", override_dataset_config_file="gone.toml")
    with pytest.raises(PresetError) as caught:
        read_overrides(extras, root=tmp_path)
    assert len(caught.value.problems) == 2


def test_misspelt_keys_of_an_override_file_are_told() -> None:
    """A key that the engine would ignore is a warning with the right name; real options are none."""
    found = check_overrides(Overrides(training={"a": {"learning-rate": 1.0, "seed": 1}, "save_every_epochs": 1}))
    assert [problem.severity for problem in found] == ["warning", "warning"]
    assert "learning_rate" in found[0].todo
    assert "save_every_n_epochs" in found[1].todo


def test_choices_are_not_the_notebooks_business() -> None:
    """With fidelity "notebook" the file is the same on any machine."""
    tables = {"engine": {"fidelity": "notebook"}}
    assert written(Shape(tables, choices=CPU)) == written(Shape(tables, choices=GPU))


def test_relative_paths_start_at_the_root() -> None:
    """The engine runs in another folder, so every path of the preset is written in full."""
    tables: Mapping[str, Mapping[str, object]] = {
        "training": {"continue_from_lora": "old.safetensors", "resume": "states/x-state"},
        "sd_scripts": {"sample_prompts": "prompts.txt", "base_weights": ["a.safetensors", "/b.safetensors"]},
    }
    values = flat(training_toml(replace(make_job(Shape(tables)), root=Path("/home/me"))))
    assert values["network_weights"] == "/home/me/old.safetensors"
    assert values["resume"] == "/home/me/states/x-state"
    assert values["sample_prompts"] == "/home/me/prompts.txt"
    assert values["base_weights"] == ["/home/me/a.safetensors", "/b.safetensors"]


def test_sdxl_has_what_its_notebook_sets() -> None:
    """Lora_Trainer_XL's keys for a model that predicts v; what its script warns of is left out."""
    given = flat(training_toml(make_job(SHAPES["sdxl"])))
    assert not {"clip_skip", "v2"} & given.keys()
    wanted = ("no_half_vae", "v_parameterization", "scale_v_pred_loss_like_noise_pred", "zero_terminal_snr")
    assert [given[key] for key in wanted] == [True] * 4
    assert (given["min_snr_gamma"], given["full_fp16"]) == (8.0, True)


@pytest.mark.parametrize(("every", "keep", "window"), [(7, 1, 0), (7, 3, 14), (10, 1, 10), (10, 2, 20)])
def test_states_every_n_steps_leave_the_newest(every: int, keep: int, window: int) -> None:
    """50 steps: with 10 between states the last one is of no use to go on from, so one more is kept."""
    saving = {"save_state": True, "save_state_every_n_steps": every, "keep_only_last_n_states": keep}
    given = flat(training_toml(make_job(Shape({"training": saving}))))
    assert (given["save_every_n_steps"], given["save_last_n_steps_state"]) == (every, window)
    assert given["save_last_n_steps"] == 0


@pytest.mark.parametrize("saving", [{"save_state": True}, {"save_state_every_n_steps": 5}])
def test_states_are_saved_by_steps_only_where_both_are_asked_for(saving: dict[str, object]) -> None:
    """Without a number, or without save_state, nothing is written."""
    assert "save_every_n_steps" not in flat(training_toml(make_job(Shape({"training": saving}))))


@pytest.mark.parametrize(("steps", "skip"), [(10, None), (13, True)])
def test_a_run_goes_on_at_its_step(steps: int, skip: bool | None) -> None:  # noqa: FBT001 - a value of the file
    """Of 5 batches an epoch, 13 steps leave three of the third epoch to be skipped, and 10 none."""
    job = replace(make_job(Shape({})), continuation=Continuation(Path("/runs/r/x-state"), 2, steps, 10))
    given = flat(training_toml(job))
    assert (given["resume"], given["initial_step"]) == ("/runs/r/x-state", steps)
    assert given.get("skip_until_initial_step") is skip
