"""The [sd_scripts] table: checked by name, type and choices before anything starts."""

from collections.abc import Mapping

import pytest

from kohya_wrap.errors import Problem
from kohya_wrap.sd_scripts import check_passthrough


def problems(given: Mapping[str, object], **tables: Mapping[str, object]) -> list[Problem]:
    return check_passthrough({**tables, "sd_scripts": given})


def only(given: Mapping[str, object], **tables: Mapping[str, object]) -> Problem:
    (problem,) = problems(given, **tables)
    return problem


@pytest.mark.parametrize(
    "given",
    [
        {"noise_offset": 0.05},
        {"noise_offset": 0},
        {"network_dropout": 0.0},
        {"full_fp16": False},
        {"loss_type": "huber"},
        {"base_weights_multiplier": [1, 0.5]},
        {"lr_scheduler_args": ["gamma=0.9"]},
        {"lr_decay_steps": 0.1},
        {"min_timestep": 0, "max_timestep": 1000},
        {"caption_dropout_rate": 0.1},
        {"v_parameterization": True, "zero_terminal_snr": True},
        {"network_args": ["loraplus_lr_ratio=4"]},
        {"multires_noise_iterations": 6, "multires_noise_discount": 0.3},
    ],
)
def test_accepts_what_the_engine_takes(given: Mapping[str, object]) -> None:
    """An option of train_network.py with a fitting value is no problem, 0 and false included."""
    assert problems(given) == []


def test_no_table_is_no_problem() -> None:
    """A preset without [sd_scripts] has nothing to check."""
    assert check_passthrough({"setup": {"project_name": "x"}}) == []


def test_names_the_nearest_option() -> None:
    """A misspelt option is refused with the right name."""
    problem = only({"noise_ofset": 0.1})
    assert (problem.where, problem.severity) == ("sd_scripts.noise_ofset", "error")
    assert "noise_offset" in problem.todo


def test_sdxl_options_are_refused() -> None:
    """An option of the SDXL script alone would be ignored, and is refused."""
    assert "sdxl_train_network.py only" in only({"cache_text_encoder_outputs": True}).what


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("noise_offset", "0.1", "a number"),
        ("full_fp16", "false", "true or false"),
        ("full_fp16", 1, "true or false"),
        ("vae_batch_size", 2.0, "a whole number"),
        ("vae_batch_size", True, "a whole number"),
        ("training_comment", 5, "a text in quotes"),
        ("lr_scheduler_args", "gamma=0.9", "a list"),
        ("base_weights_multiplier", ["1"], "a number"),
        ("noise_offset", [0.1], "a number"),
    ],
)
def test_refuses_wrong_types(name: str, value: object, wanted: str) -> None:
    """A value of another type is refused: the engine would take "false" for true and a text for a list."""
    assert wanted in only({name: value}).what


def test_refuses_values_outside_the_choices() -> None:
    """A value that is none of the choices is refused with the choices; the engine would not look."""
    problem = only({"loss_type": "l3"})
    assert "l1, l2, huber, smooth_l1" in problem.todo


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("unet_lr", 1e-4, "learning.unet_lr"),
        ("learning_rate", 1e-4, "learning.unet_lr"),
        ("max_train_steps", 10, "steps.how_many"),
        ("use_8bit_adam", True, "optimizer.optimizer"),
        ("sdpa", True, "engine.attention"),
        ("network_train_unet_only", True, "learning.text_encoder_lr"),
        ("keep_tokens", 1, "processing.activation_tags"),
    ],
)
def test_refuses_what_a_field_sets(name: str, value: object, field: str) -> None:
    """An option that a field sets is refused, and the field is named."""
    assert field in only({name: value}).todo


@pytest.mark.parametrize("name", ["bucket_no_upscale", "num_repeats", "is_reg", "class_tokens", "reg_data_dir"])
def test_sends_dataset_options_to_the_dataset_file(name: str) -> None:
    """An option of the dataset file would be ignored or overruled here, and is sent there."""
    assert "extras.custom_dataset" in only({name: True}).todo


@pytest.mark.parametrize("name", ["wandb_api_key", "huggingface_token"])
def test_refuses_secrets(name: str) -> None:
    """A secret does not belong into a preset in git; the environment variable is named."""
    problem = only({name: "s3cret"})
    assert "environment variable" in problem.what
    assert "s3cret" not in str(problem)


@pytest.mark.parametrize("name", ["output_dir", "console_log_level", "console_log_simple", "config_file"])
def test_refuses_what_is_ours(name: str) -> None:
    """Options that would break the run's folders or its log are refused with the reason."""
    assert "cannot be set" in only({name: "x"}).what


@pytest.mark.parametrize("entry", ["conv_dim = 8", "convdim", "rank_dropout=", "a b=1"])
def test_refuses_network_args_that_would_be_ignored(entry: str) -> None:
    """network_args with a space, without a value or without "=" are ignored by the engine, and refused here."""
    assert problems({"network_args": [entry]}) != []


def test_network_args_of_a_field_are_refused() -> None:
    """conv_dim in network_args is the field's business."""
    assert "structure.conv_dim" in only({"network_args": ["conv_dim=4"]}).todo


@pytest.mark.parametrize(
    ("given", "tables"),
    [
        ({"gradient_accumulation_steps": 0}, {}),
        ({"save_every_n_steps": 0}, {}),
        ({"sample_every_n_epochs": 1}, {}),
        ({"color_aug": True}, {}),
        ({"random_crop": True}, {"engine": {"cache_latents": True}}),
        ({"adaptive_noise_scale": 0.1}, {}),
        ({"min_timestep": 500, "max_timestep": 500}, {}),
        ({"caption_dropout_rate": 5.0}, {}),
        ({"scale_v_pred_loss_like_noise_pred": True}, {}),
        ({"deepspeed": True}, {}),
    ],
)
def test_finds_the_engines_traps(given: Mapping[str, object], tables: Mapping[str, Mapping[str, object]]) -> None:
    """Values that the engine accepts and then fails on, or trains something else with, are errors."""
    found = problems(given, **tables)
    assert found
    assert {problem.severity for problem in found} == {"error"}


@pytest.mark.parametrize("given", [{"base_weights": ["/a.safetensors"]}, {"masked_loss": True}])
def test_warns_of_doubtful_options(given: Mapping[str, object]) -> None:
    """What is doubtful, but may be meant, is a warning."""
    assert [problem.severity for problem in problems(given)] == ["warning"]


XL = {"training_model": "Illustrious XL 0.1"}
STILL: Mapping[str, Mapping[str, object]] = {
    "processing": {"shuffle_tags": False},
    "learning": {"text_encoder_lr": 0.0},
}


def test_an_option_of_sdxl_alone_is_refused_elsewhere() -> None:
    """cache_text_encoder_outputs is no option of train_network.py; with SDXL's script it is."""
    (found,) = problems({"cache_text_encoder_outputs": True}, **STILL)
    assert "sdxl_train_network.py only, not of train_network.py" in found.what
    assert problems({"cache_text_encoder_outputs": True}, setup=XL, **STILL) == []


@pytest.mark.parametrize("table", list(STILL))
def test_cached_captions_must_stay_as_they_are(table: str) -> None:
    """Shuffled tags, or a text encoder that learns, would stop the engine after it has loaded seven gigabytes."""
    tables = {name: values for name, values in STILL.items() if name != table}
    (found,) = problems({"cache_text_encoder_outputs": True}, setup=XL, **tables)
    assert found.severity == "error"


@pytest.mark.parametrize("setup", ["no table", {"training_model": ["x"]}, {"optional_custom_training_model_url": 3}])
def test_a_broken_setup_does_not_keep_options_from_being_checked(setup: object) -> None:
    """What is wrong with [setup] is said by its own check; here SD 1.5 is taken for granted."""
    assert check_passthrough({"setup": setup, "sd_scripts": {"noise_offset": 0.1}}) == []


@pytest.mark.parametrize(
    ("given", "tables"),
    [
        ({"color_aug": True}, {"engine": {"cache_latents": False}}),
        ({"zero_terminal_snr": True}, {"setup": {"custom_model_is_based_on_sd2": True}}),
        ({"sample_every_n_epochs": 1, "sample_prompts": "p.txt"}, {}),
        ({"masked_loss": True, "alpha_mask": True}, {}),
    ],
)
def test_traps_that_other_values_defuse(
    given: Mapping[str, object], tables: Mapping[str, Mapping[str, object]]
) -> None:
    """The same values are fine where what they need is there."""
    assert problems(given, **tables) == []


def test_reports_all_at_once() -> None:
    """Every problem of the table comes in one list."""
    found = problems({"noise_ofset": 1, "full_fp16": "yes", "unet_lr": 1.0, "loss_type": "l3"})
    assert len(found) == 4


def test_an_option_in_another_table_is_sent_here() -> None:
    """noise_offset under [training] is pointed to [sd_scripts]; unet_lr under [training] to its field."""
    found = check_passthrough({"training": {"noise_offset": 0.1, "unet_lr": 1e-4, "seed": 1}})
    assert [problem.where for problem in found] == ["training.noise_offset", "training.unet_lr"]
    assert "[sd_scripts]" in found[0].todo
    assert "learning.unet_lr" in found[1].todo


def test_a_table_that_is_none() -> None:
    """`sd_scripts = 5` is a problem, not a crash."""
    assert len(check_passthrough({"sd_scripts": 5})) == 1


def test_options_beside_an_override_file_are_refused() -> None:
    """With extras.override_config_file the table would be left out, so it is refused."""
    problem = only({"noise_offset": 0.1}, extras={"override_config_file": "mine.toml"})
    assert "override_config_file" in problem.what
