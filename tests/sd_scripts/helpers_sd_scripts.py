"""Jobs for the tests of the sd_scripts room: the presets' shapes and edge cases, on paths that need not exist."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from helpers_hardware import CPU, GPU

from kohya_wrap.base_models.types import BaseModelFile
from kohya_wrap.config import HardwareChoices, TrainConfig
from kohya_wrap.config.resolve import resolve
from kohya_wrap.dataset.types import Bucket, BucketRules, DatasetGroup, Picture, PreparedDataset, Subset
from kohya_wrap.families import FAMILIES
from kohya_wrap.paths import ProjectPaths
from kohya_wrap.sd_scripts import plan_steps
from kohya_wrap.sd_scripts.job import Overrides, TrainingJob

PROJECT_ROOT = Path(__file__).resolve().parents[2]
GOLDEN = PROJECT_ROOT / "tests" / "golden"
SHARED = PROJECT_ROOT.parent / "shared"

NO_OVERRIDES = Overrides()
STRANGE_NAME = 'un nom "cité" d\'ici\\nouveau\\x41 ラクト 🐯 [1], a=b # c\nend'


@dataclass(frozen=True, slots=True)
class Shape:
    """What one test job differs by. `tables`: those of a preset; project_name is "lakto-lora" unless given."""

    tables: Mapping[str, Mapping[str, object]]
    choices: HardwareChoices = GPU
    dataset: PreparedDataset | None = None
    root: Path = Path("/project")
    base: str = "/models/base.safetensors"
    overrides: Overrides = NO_OVERRIDES
    family: str = "sd15"
    tokenizer_dir: Path | None = None
    vae: Path | None = None


def make_config(**tables: Mapping[str, object]) -> TrainConfig:
    """Give a config that takes effect (resolved), as the presets room would."""
    setup = {"project_name": "lakto-lora"} | dict(tables.get("setup", {}))
    return resolve(TrainConfig.model_validate({**tables, "setup": setup}))[0]


def make_pictures(folder: Path, count: int) -> tuple[Picture, ...]:
    """Give pictures of 512 by 512 that need not exist."""
    names = (folder / f"{index}.png" for index in range(count))
    return tuple(Picture(path=path, source=path, width=512, height=512) for path in names)


def make_dataset(
    folder: Path, *, count: int = 1, num_repeats: int = 10, resolution: int = 512, batch_size: int = 2
) -> PreparedDataset:
    """Give a dataset of square pictures: one folder, one bucket."""
    wide = resolution > 640
    rules = BucketRules(
        (resolution, resolution),
        batch_size,
        min_bucket_reso=min(320 if wide else 256, resolution),
        max_bucket_reso=1280 if wide else 1024,
    )
    subset = Subset(folder, num_repeats, make_pictures(folder, count))
    return PreparedDataset((DatasetGroup(rules, (subset,), (Bucket(resolution, resolution, count * num_repeats),)),))


def make_job(shape: Shape) -> TrainingJob:
    """Give the whole job of a shape."""
    config = make_config(**shape.tables)
    project = ProjectPaths(shape.root, config.setup.project_name)
    dataset = shape.dataset or make_dataset(
        project.dataset,
        num_repeats=config.steps.num_repeats,
        resolution=config.processing.resolution,
        batch_size=config.steps.train_batch_size,
    )
    return TrainingJob(
        config=config,
        family=FAMILIES[shape.family],
        base_model=BaseModelFile(Path(shape.base), "safetensors", shape.family, size=1),
        dataset=dataset,
        choices=shape.choices,
        steps=plan_steps(config, dataset, shape.choices, shape.overrides),
        run=project.run("20261123-070000-abcd"),
        tokenizer_dir=shape.tokenizer_dir,
        vae=shape.vae,
        overrides=shape.overrides,
    )


def flat(text: str) -> dict[str, object]:
    """Give a training file's values by key; a key that stands twice is an error of the test's subject."""
    values: dict[str, object] = {}
    for name, section in tomllib.loads(text).items():
        if not isinstance(section, dict):
            section = {name: section}  # noqa: PLW2901  a key outside all tables
        assert not values.keys() & section.keys()
        values |= section
    return values


def _two_groups() -> PreparedDataset:
    small = make_dataset(Path("/pictures/close-ups"), count=3, num_repeats=4).groups[0]
    large = make_dataset(Path("/pictures/full"), count=2, num_repeats=1, resolution=768, batch_size=1).groups[0]
    regular = Subset(
        Path("/pictures/reg"), 1, make_pictures(Path("/pictures/reg"), 5), is_reg=True, class_tokens="1boy"
    )
    styled = replace(small.subsets[0], options={"keep_tokens": 0, "flip_aug": False, "caption_prefix": "close-up, "})
    return PreparedDataset((replace(small, subsets=(styled, regular)), replace(large, options={"validation_seed": 1})))


def _limits(dataset: PreparedDataset, low: int, high: int) -> PreparedDataset:
    (group,) = dataset.groups
    return PreparedDataset((replace(group, rules=replace(group.rules, min_bucket_reso=low, max_bucket_reso=high)),))


def _without_captions() -> PreparedDataset:
    return replace(make_dataset(Path("/project/Loras/lakto-lora/dataset")), has_captions=False)


ZEROS: Mapping[str, Mapping[str, object]] = {
    "training": {"seed": 0, "max_token_length": 75},
    "steps": {"save_every_n_epochs": 0, "keep_only_last_n_epochs": 0},
    "learning": {"text_encoder_lr": 0, "lr_warmup_ratio": 0, "lr_scheduler": "linear", "min_snr_gamma": False},
    "processing": {"activation_tags": 0, "shuffle_tags": False},
}

SHAPES: Mapping[str, Shape] = {
    "one-image": Shape({"processing": {"flip_aug": True}}),
    "character": Shape({"steps": {"num_repeats": 8}}, dataset=make_dataset(Path("/p"), count=25, num_repeats=8)),
    "style-locon": Shape({"structure": {"lora_type": "LoCon"}, "learning": {"text_encoder_lr": 0}}),
    "character-prodigy": Shape({"optimizer": {"optimizer": "Prodigy"}}, choices=replace(GPU, optimizer="Prodigy")),
    "demo": Shape(
        {
            "engine": {"name": "embedded"},
            "processing": {"resolution": 64},
            "steps": {"num_repeats": 2, "train_batch_size": 1},
        },
        choices=CPU,
    ),
    "cpu": Shape({}, choices=CPU, tokenizer_dir=Path("/home/me/tokenizers"), vae=Path("/models/vae.safetensors")),
    "zeros": Shape(ZEROS),
    "steps-polynomial": Shape(
        {
            "steps": {"preferred_unit": "Steps", "how_many": 50},
            "learning": {"lr_scheduler": "polynomial", "lr_scheduler_number": 2},
        }
    ),
    "constant": Shape({"learning": {"lr_scheduler": "constant"}}),
    "large": Shape({"processing": {"resolution": 768}}),
    "sd2": Shape({"setup": {"custom_model_is_based_on_sd2": True}}, family="sd2"),
    "sdxl": Shape(
        {
            "setup": {"training_model": "NoobAI V-Pred 1.0"},
            "processing": {"resolution": 1024},
            "learning": {"min_snr_gamma": 8.0},
            "engine": {"gradient_checkpointing": True},
            "sd_scripts": {"full_fp16": True, "disable_mmap_load_safetensors": True},
        },
        family="sdxl",
        dataset=_limits(make_dataset(Path("/project/Loras/lakto-lora/dataset"), resolution=1024), 256, 4096),
        tokenizer_dir=Path("/home/me/tokenizers"),
    ),
    "no-captions": Shape({}, dataset=_without_captions()),
    "two-groups": Shape({}, dataset=_two_groups()),
    "continued": Shape(
        {"training": {"continue_from_lora": "/loras/old.safetensors", "save_state": True, "resume": "/states/x-state"}}
    ),
    "unet-lr-0": Shape({"learning": {"unet_lr": 0}}),
    "lycoris-locon": Shape({"structure": {"lora_type": "LoCon Lycoris", "conv_compression": True, "conv_alpha": 1}}),
    "lycoris-loha": Shape({"structure": {"lora_type": "LoHa Lycoris"}}),
    "passed-through": Shape(
        {
            "structure": {"lora_type": "LoCon"},
            "sd_scripts": {
                "noise_offset": 0.0,
                "network_dropout": 0,
                "log_config": False,
                "gradient_accumulation_steps": 2,
                "v_parameterization": True,
                "base_weights_multiplier": [1, 0.5],
                "network_args": ["loraplus_lr_ratio=4", "rank_dropout=0.1"],
            },
        }
    ),
    "draws-while-training": Shape(
        {"samples": {"prompts": ["a wolf"], "while_training": True}, "steps": {"save_every_n_epochs": 2}}
    ),
    "strange-paths": Shape(
        {"sd_scripts": {"training_comment": STRANGE_NAME}},
        root=Path("/home/me") / STRANGE_NAME,
        base=f"/models/{STRANGE_NAME}.safetensors",
    ),
    "notebook": Shape({"engine": {"fidelity": "notebook"}, "processing": {"flip_aug": True}}, choices=CPU),
    "notebook-zeros": Shape({**ZEROS, "engine": {"fidelity": "notebook"}}),
    "notebook-lycoris": Shape({"engine": {"fidelity": "notebook"}, "structure": {"lora_type": "LoCon Lycoris"}}),
    "override": Shape(
        {
            "extras": {"override_config_file": "mine.toml", "override_dataset_config_file": "my-data.toml"},
            "training": {"seed": 7},
        },
        overrides=Overrides(
            training={
                "first": {"seed": 1, "output_dir": "/elsewhere", "max_train_epochs": 3, "train_batch_size": 5},
                "second": {"learning_rate": 0.001, "network_module": "networks.dylora"},
                "loose": 0,
            },
            dataset={
                "general": {"resolution": 512},
                "datasets": [{"subsets": [{"image_dir": "/data", "num_repeats": 1}]}],
            },
        ),
    ),
}
"""Each is a golden pair, tests/golden/NAME.training.toml and NAME.dataset.toml."""
