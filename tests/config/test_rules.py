"""Each rule across fields: what springs it, and that its near miss does not."""

from collections.abc import Mapping

import pytest
from config_helpers import config_of, problems_of

from kohya_wrap.config.rules import check, check_total_steps
from kohya_wrap.errors import Problem

Tables = dict[str, dict[str, object]]


def one(tables: Tables, where: str) -> Problem:
    found = problems_of(tables, where)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def test_the_defaults_have_no_problems() -> None:
    """A preset that only names its project is sound, without a warning."""
    assert check(config_of()) == []


def test_all_of_the_notebooks_defaults_written_out_have_no_problems() -> None:
    """Who copies every value of the notebook over hears nothing about values that change nothing."""
    written = config_of().model_dump()
    written["optimizer"]["optimizer_args"] = ()
    assert check(config_of(written)) == []


ERRORS: Mapping[str, tuple[Tables, str, str]] = {
    "an empty name": ({"setup": {"project_name": "  "}}, "setup.project_name", "empty"),
    "a control character": ({"setup": {"project_name": "a\x07b"}}, "setup.project_name", "control"),
    "a line end": ({"setup": {"project_name": "a\nb"}}, "setup.project_name", "control"),
    "a leading dash": ({"setup": {"project_name": "-a"}}, "setup.project_name", "dash"),
    "the logs' folder": ({"setup": {"project_name": "_logs"}}, "setup.project_name", "folder of all logs"),
    "a very long name": ({"setup": {"project_name": "あ" * 70}}, "setup.project_name", "too long"),
    "the toy base with sd-scripts": (
        {"setup": {"training_model": "Tiny random"}},
        "setup.training_model",
        "only the embedded engine",
    ),
    "SD2 without a model of it": (
        {"setup": {"custom_model_is_based_on_sd2": True}},
        "setup.custom_model_is_based_on_sd2",
        "no Stable Diffusion 2 model",
    ),
    "an ending without a point": (
        {"processing": {"caption_extension": "txt"}},
        "processing.caption_extension",
        "point",
    ),
    "an ending with a slash": (
        {"processing": {"caption_extension": "./txt"}},
        "processing.caption_extension",
        "no ending",
    ),
    "pictures as captions": ({"processing": {"caption_extension": ".PNG"}}, "processing.caption_extension", "pictures"),
    "an SDXL flag without a model of it": (
        {"setup": {"custom_model_is_sdxl": True}},
        "setup.custom_model_is_sdxl",
        "no SDXL model",
    ),
    "two versions at once": (
        {
            "setup": {
                "custom_model_is_sdxl": True,
                "custom_model_is_based_on_sd2": True,
                "optional_custom_training_model_url": "m.safetensors",
            }
        },
        "setup.custom_model_is_sdxl",
        "cannot be both",
    ),
    "the notebook's file for SDXL": (
        {"setup": {"training_model": "Illustrious XL 0.1"}, "engine": {"fidelity": "notebook"}},
        "engine.fidelity",
        "Lora_Trainer_XL",
    ),
    "states by steps, twice": (
        {"training": {"save_state": True, "save_state_every_n_steps": 5}, "sd_scripts": {"save_every_n_steps": 5}},
        "training.save_state_every_n_steps",
        "means the same",
    ),
    "states by steps of several batches": (
        {
            "training": {"save_state": True, "save_state_every_n_steps": 5},
            "sd_scripts": {"gradient_accumulation_steps": 2},
        },
        "training.save_state_every_n_steps",
        "miscounts",
    ),
    "a token length of 77": ({"training": {"max_token_length": 77}}, "training.max_token_length", "no length"),
    "a LoRA that is none": (
        {"training": {"continue_from_lora": "a.pt"}},
        "training.continue_from_lora",
        ".safetensors",
    ),
    "nothing to train": (
        {"learning": {"unet_lr": 0, "text_encoder_lr": 0}},
        "learning.unet_lr",
        "nothing would be trained",
    ),
    "half a restart": ({"learning": {"lr_scheduler_number": 2.5}}, "learning.lr_scheduler_number", "restarts"),
    "an unknown optimizer": ({"optimizer": {"optimizer": "Adamm"}}, "optimizer.optimizer", "no optimizer"),
    "an unknown argument": (
        {"optimizer": {"optimizer_args": ("wd=0.1",)}},
        "optimizer.optimizer_args",
        "takes no 'wd'",
    ),
    "one beta": ({"optimizer": {"optimizer_args": ("betas=0.9",)}}, "optimizer.optimizer_args", "2 numbers"),
    "two betas for Adan": (
        {"optimizer": {"optimizer": "DAdaptAdan", "optimizer_args": ("betas=[0.9,0.9]",)}},
        "optimizer.optimizer_args",
        "3 numbers",
    ),
    "the notebook's decouple for DadaptLion": (
        {"optimizer": {"optimizer": "DadaptLion"}, "engine": {"fidelity": "notebook"}},
        "optimizer.optimizer_args",
        "takes no 'decouple'",
    ),
    "Adafactor with a warm-up": ({"optimizer": {"optimizer": "AdaFactor"}}, "learning.lr_warmup_ratio", "warm-up"),
    "Adafactor's warmup_init": (
        {"optimizer": {"optimizer": "AdaFactor", "optimizer_args": ("relative_step=False", "warmup_init=True")}},
        "optimizer.optimizer_args",
        "warmup_init",
    ),
    "min-SNR at zero terminal SNR": (
        {"sd_scripts": {"zero_terminal_snr": True}},
        "learning.min_snr_gamma",
        "zero_terminal_snr",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_the_engine_cannot_do_is_an_error(case: str) -> None:
    """Each is an error at its field, says what is wrong and what to do."""
    tables, where, what = ERRORS[case]
    problem = one(tables, where)
    assert problem.severity == "error"
    assert what in problem.what
    assert problem.todo


SD2: Tables = {"setup": {"custom_model_is_based_on_sd2": True, "optional_custom_training_model_url": "m.safetensors"}}
RELATIVE: Tables = {"optimizer": {"optimizer": "AdaFactor"}}
FIXED = ("scale_parameter=False", "relative_step=False", "warmup_init=False")

WARNINGS: Mapping[str, tuple[Tables, str, str]] = {
    "a name Windows reserves": ({"setup": {"project_name": "con"}}, "setup.project_name", "Windows"),
    "a character Windows forbids": ({"setup": {"project_name": "a:b"}}, "setup.project_name", "Windows"),
    "a base model that is not used": (
        {"setup": {"training_model": "AnyLora", "optional_custom_training_model_url": "m.safetensors"}},
        "setup.training_model",
        "not used",
    ),
    "clip_skip 2 with SD2": (SD2, "training.clip_skip", "own layer"),
    "512 with v-prediction": (SD2, "processing.resolution", "v-prediction"),
    "shuffling no captions": (
        {"processing": {"caption_extension": "", "shuffle_tags": False}},
        "processing.shuffle_tags",
        "without captions",
    ),
    "keeping tags of no captions": (
        {"processing": {"caption_extension": "", "activation_tags": 2}},
        "processing.activation_tags",
        "without captions",
    ),
    "weights in no captions": (
        {"processing": {"caption_extension": ""}, "training": {"weighted_captions": True}},
        "training.weighted_captions",
        "without captions",
    ),
    "a tag without captions": (
        {"processing": {"caption_extension": ""}, "dataset": {"activation_tag": "x"}},
        "dataset.activation_tag",
        "never learnt",
    ),
    "keeping tags that stay anyway": (
        {"processing": {"shuffle_tags": False, "activation_tags": 2}},
        "processing.activation_tags",
        "stays in place",
    ),
    "an activation tag that is shuffled": (
        {"processing": {"activation_tags": 0}, "dataset": {"activation_tag": "x"}},
        "processing.activation_tags",
        "shuffled away",
    ),
    "more activation tags than are kept": (
        {"dataset": {"activation_tag": "one, two"}},
        "processing.activation_tags",
        "are 2",
    ),
    "a weight that nothing gives": (
        {"training": {"activation_tag_weight": 1.1, "weighted_captions": True}},
        "training.activation_tag_weight",
        "adjust_tags",
    ),
    "two dataset files": (
        {"extras": {"override_dataset_config_file": "d.toml", "custom_dataset": "[[datasets]]"}},
        "extras.custom_dataset",
        "not used",
    ),
    "resolution beside a dataset file": (
        {"extras": {"override_dataset_config_file": "d.toml"}, "processing": {"resolution": 768}},
        "processing.resolution",
        "override_dataset_config_file",
    ),
    "repeats beside a custom dataset": (
        {"extras": {"custom_dataset": "[[datasets]]"}, "steps": {"num_repeats": 3}},
        "steps.num_repeats",
        "custom_dataset",
    ),
    "a place for no zip": ({"extras": {"extract_to": "x"}}, "extras.extract_to", "without extras.zip"),
    "few steps": ({"steps": {"preferred_unit": "Steps", "how_many": 20}}, "steps.how_many", "next to nothing"),
    "the default number as steps": ({"steps": {"preferred_unit": "Steps"}}, "steps.how_many", "its default is 10"),
    "many epochs": ({"steps": {"how_many": 2000}}, "steps.how_many", "2000 epochs"),
    "keeping of one": (
        {"steps": {"save_every_n_epochs": 0, "keep_only_last_n_epochs": 3}},
        "steps.keep_only_last_n_epochs",
        "one LoRA is saved",
    ),
    "saving after the end": (
        {"steps": {"save_every_n_epochs": 11}},
        "steps.save_every_n_epochs",
        "only the last one",
    ),
    "v-prediction of nothing": (
        {"setup": {"custom_model_is_vpred": True}},
        "setup.custom_model_is_vpred",
        "without a custom SDXL model",
    ),
    "SDXL at 512": ({"setup": {"training_model": "Pony Diffusion V6 XL"}}, "processing.resolution", "made at 1024"),
    "clip_skip of SDXL": (
        {"setup": {"training_model": "Animagine XL V3"}, "training": {"clip_skip": 1}},
        "training.clip_skip",
        "last layer but one",
    ),
    "states that are not saved": (
        {"training": {"save_state_every_n_steps": 100}},
        "training.save_state_every_n_steps",
        "save_state is false",
    ),
    "a number of states that are not saved": (
        {"training": {"keep_only_last_n_states": 2}},
        "training.keep_only_last_n_states",
        "save_state is false",
    ),
    "two ways to go on": (
        {"training": {"continue_from_lora": "a.safetensors", "resume": "state"}},
        "training.continue_from_lora",
        "resume",
    ),
    "the text encoder alone": ({"learning": {"unet_lr": 0}}, "learning.unet_lr", "only the text encoder"),
    "a fast text encoder": ({"learning": {"text_encoder_lr": 1e-3}}, "learning.text_encoder_lr", "more than unet_lr"),
    "a number for no restarts": (
        {"learning": {"lr_scheduler": "cosine", "lr_scheduler_number": 2}},
        "learning.lr_scheduler_number",
        "cosine",
    ),
    "no restarts": ({"learning": {"lr_scheduler_number": 0}}, "learning.lr_scheduler_number", "constant"),
    "a warm-up of constant": (
        {"learning": {"lr_scheduler": "constant", "lr_warmup_ratio": 0.1}},
        "learning.lr_warmup_ratio",
        "constant",
    ),
    "a class path": ({"optimizer": {"optimizer": "a.B"}}, "optimizer.optimizer", "class path"),
    "a low rate for Prodigy": (
        {
            "optimizer": {"optimizer": "Prodigy", "override_values_for_dadapt_and_prodigy": False},
            "learning": {"text_encoder_lr": 5e-4},
        },
        "learning.unet_lr",
        "far too low",
    ),
    "a value that Prodigy replaces": (
        {"optimizer": {"optimizer": "Prodigy"}, "learning": {"unet_lr": 1e-3}},
        "learning.unet_lr",
        "replaced by 0.5",
    ),
    "Adafactor with cosine": (
        {"optimizer": {"optimizer": "AdaFactor", "optimizer_args": FIXED}},
        "learning.lr_scheduler",
        "constant_with_warmup",
    ),
    "a rate that Adafactor ignores": (
        {**RELATIVE, "learning": {"lr_warmup_ratio": 0, "text_encoder_lr": 2e-4}},
        "learning.text_encoder_lr",
        "relative_step",
    ),
    "a schedule that is not needed": (
        {"optimizer": {"optimizer": "AdamWScheduleFree"}, "learning": {"lr_scheduler": "cosine"}},
        "learning.lr_scheduler",
        "needs no schedule",
    ),
    "min-SNR and debiased estimation": (
        {"sd_scripts": {"debiased_estimation_loss": True}},
        "learning.min_snr_gamma",
        "both weight",
    ),
    "min-SNR and scaled v-prediction": (
        {"sd_scripts": {"v_parameterization": True, "scale_v_pred_loss_like_noise_pred": True}},
        "learning.min_snr_gamma",
        "both weight",
    ),
    "convolutions of a LoRA": ({"structure": {"conv_dim": 4}}, "structure.conv_dim", 'lora_type "LoRA"'),
    "their alpha": ({"structure": {"conv_alpha": 1}}, "structure.conv_alpha", 'lora_type "LoRA"'),
    "a conv_alpha above conv_dim": (
        {"structure": {"lora_type": "LoCon", "conv_alpha": 16}},
        "structure.conv_alpha",
        "more than conv_dim",
    ),
    "compression without lycoris": (
        {"structure": {"lora_type": "LoCon", "conv_compression": True}},
        "structure.conv_compression",
        "LoCon",
    ),
    "an alpha above dim": ({"structure": {"network_alpha": 32}}, "structure.network_alpha", "more than network_dim"),
    "lycoris in an own environment": (
        {"structure": {"lora_type": "LoHa Lycoris"}, "engine": {"python": "/opt/python"}},
        "structure.lora_type",
        "lycoris-lora",
    ),
    "a resolution off the slider": ({"processing": {"resolution": 1280}}, "processing.resolution", "512 to 1024"),
    "a batch off the slider": ({"steps": {"train_batch_size": 9}}, "steps.train_batch_size", "1 to 8"),
    "a warm-up off the slider": ({"learning": {"lr_warmup_ratio": 0.9}}, "learning.lr_warmup_ratio", "0 to 0.5"),
    "a rank off the slider": ({"structure": {"network_dim": 256}}, "structure.network_dim", "1 to 128"),
    "four activation tags": ({"processing": {"activation_tags": 4}}, "processing.activation_tags", "0 to 3"),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_is_unusual_or_unused_is_a_warning(case: str) -> None:
    """Each is a warning at its field that says why; the run may go on."""
    tables, where, what = WARNINGS[case]
    problem = one(tables, where)
    assert problem.severity == "warning"
    assert what in problem.what


SOUND: Mapping[str, Tables] = {
    "a name in Japanese": {"setup": {"project_name": "猫-lora_2"}},
    "no captions": {"processing": {"caption_extension": ""}},
    "an ending of its own": {"processing": {"caption_extension": ".caption"}},
    "two kept tags": {"processing": {"activation_tags": 2}, "dataset": {"activation_tag": "one, two"}},
    "the window of 75": {"training": {"max_token_length": 75}},
    "the window of 150": {"training": {"max_token_length": 150}},
    "the U-Net alone": {"learning": {"text_encoder_lr": 0}},
    "enough steps": {"steps": {"preferred_unit": "Steps", "how_many": 2000}},
    "only the end": {"steps": {"save_every_n_epochs": 0, "keep_only_last_n_epochs": 0}},
    "a seed of 0": {"training": {"seed": 0}},
    "a power": {"learning": {"lr_scheduler": "polynomial", "lr_scheduler_number": 0.5}},
    "constant": {"learning": {"lr_scheduler": "constant"}},
    "LoCon": {"structure": {"lora_type": "LoCon"}},
    "LoCon of 2023": {"structure": {"lora_type": "LoCon Lycoris", "conv_alpha": 1, "conv_compression": True}},
    "alpha as dim": {"structure": {"network_alpha": 16}},
    "Prodigy": {"optimizer": {"optimizer": "Prodigy"}},
    "Prodigy on the U-Net": {
        "optimizer": {"optimizer": "Prodigy", "override_values_for_dadapt_and_prodigy": False},
        "learning": {"unet_lr": 1, "text_encoder_lr": 0},
    },
    "Adafactor at fixed rates": {
        "optimizer": {"optimizer": "AdaFactor", "optimizer_args": FIXED},
        "learning": {"lr_scheduler": "constant_with_warmup"},
    },
    "Adafactor by itself": {**RELATIVE, "learning": {"lr_warmup_ratio": 0}},
    "SD2 of 768": {**SD2, "processing": {"resolution": 768}, "training": {"clip_skip": 1}},
    "SD2 base of 512": {**SD2, "sd_scripts": {"v_parameterization": False}, "training": {"clip_skip": 1}},
    "zero terminal SNR with v-prediction": {"sd_scripts": {"zero_terminal_snr": True, "v_parameterization": True}},
    "the toy base": {
        "setup": {"training_model": "Tiny random"},
        "engine": {"name": "embedded"},
        "processing": {"resolution": 64},
    },
    "the notebook's arguments of 2023": {"optimizer": {"optimizer_args": ("weight_decay=0.1",)}},
}


@pytest.mark.parametrize("case", SOUND)
def test_what_is_meant_to_work_has_no_problem(case: str) -> None:
    """A preset that the engine trains as written gets neither an error nor a warning."""
    assert check(config_of(SOUND[case])) == []


@pytest.mark.parametrize("character", list(" .()\"'\\/"))
def test_each_forbidden_character_of_a_name_is_named(character: str) -> None:
    """The notebook's list of characters is refused one by one, with a name that would do."""
    problem = one({"setup": {"project_name": f"my{character}lora"}}, "setup.project_name")
    assert problem.severity == "error"
    assert ("space" if character == " " else character) in problem.what.rpartition(": ")[2]
    assert '"my_lora"' in problem.todo


@pytest.mark.parametrize("name", ["Prodigy", "DAdaptAdam", "DAdaptLion"])
def test_two_rates_are_refused_where_the_optimizer_has_one(name: str) -> None:
    """Prodigy and dadapt stop at step 1 with two different learning rates."""
    tables: Tables = {
        "optimizer": {"optimizer": name, "override_values_for_dadapt_and_prodigy": False},
        "learning": {"unet_lr": 1.0, "text_encoder_lr": 0.5},
    }
    assert one(tables, "learning.unet_lr").severity == "error"


def test_an_adaptive_optimizer_cannot_start_from_0() -> None:
    """Prodigy takes the U-Net's rate as its own, and refuses 0."""
    tables: Tables = {
        "optimizer": {"optimizer": "Prodigy", "override_values_for_dadapt_and_prodigy": False},
        "learning": {"unet_lr": 0, "text_encoder_lr": 1.0},
    }
    assert "error" in {problem.severity for problem in problems_of(tables, "learning.unet_lr")}


def test_all_problems_come_at_once() -> None:
    """One wrong field does not hide another."""
    tables: Tables = {
        "setup": {"project_name": "a b"},
        "training": {"max_token_length": 77},
        "optimizer": {"optimizer": "Nope"},
    }
    assert len(check(config_of(tables))) == 3


def test_the_limit_of_steps_is_an_error_that_a_field_lifts() -> None:
    """More steps than max_total_steps are refused, and the message names the field; as many are not."""
    (problem,) = check_total_steps(10_001, 10_000)
    assert problem.severity == "error"
    assert "steps.max_total_steps = 10001" in problem.todo
    assert check_total_steps(10_000, 10_000) == []


@pytest.mark.parametrize("side", [768, 1024, 1536])
def test_sdxl_has_a_slider_of_its_own(side: int) -> None:
    """Lora_Trainer_XL offers 768 to 1536, where Lora_Trainer ends at 1024."""
    tables: Tables = {"setup": {"training_model": "Illustrious XL 0.1"}, "processing": {"resolution": side}}
    assert check(config_of(tables)) == []


FAMILY: Mapping[str, tuple[dict[str, object], str, bool]] = {
    "a name of Lora_Trainer": ({"training_model": "AnyLora"}, "sd15", False),
    "a name of Lora_Trainer_XL": ({"training_model": "Pony Diffusion V6 XL"}, "sdxl", False),
    "a name that predicts v": ({"training_model": "NoobAI V-Pred 1.0"}, "sdxl", True),
    "a link beside a name": (
        {"training_model": "NoobAI V-Pred 1.0", "optional_custom_training_model_url": "m.safetensors"},
        "sd15",
        False,
    ),
    "a link to version 2": (
        {"custom_model_is_based_on_sd2": True, "optional_custom_training_model_url": "m.safetensors"},
        "sd2",
        True,
    ),
    "a link to SDXL": (
        {"custom_model_is_sdxl": True, "optional_custom_training_model_url": "m.safetensors"},
        "sdxl",
        False,
    ),
    "a link to SDXL with v": (
        {
            "custom_model_is_sdxl": True,
            "custom_model_is_vpred": True,
            "optional_custom_training_model_url": "m.safetensors",
        },
        "sdxl",
        True,
    ),
}


@pytest.mark.parametrize("case", list(FAMILY))
def test_a_preset_says_which_family_it_trains(case: str) -> None:
    """By the name of the model, or by the flags of one's own."""
    setup, family, predicts_v = FAMILY[case]
    given = config_of({"setup": setup}).setup
    assert (given.family, given.predicts_v) == (family, predicts_v)
