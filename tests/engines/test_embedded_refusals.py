"""The embedded engine honours an option or refuses it, before the launch and at the start of the script: no third."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kohya_wrap import KohyaWrapError, plan
from kohya_wrap.config import EngineConfig, TrainConfig
from kohya_wrap.engines.embedded import honoured
from kohya_wrap.engines.embedded_engine import FOLDER, EmbeddedEngine
from kohya_wrap.paths import CachePaths
from kohya_wrap.sd_scripts import dataset_toml, training_toml
from kohya_wrap.sd_scripts.option_owners import FIELDS
from kohya_wrap.sd_scripts.options import Option, options
from kohya_wrap.sd_scripts.toml_text import render

NAMES = sorted(options())
EXAMPLES: dict[type, object] = {bool: True, int: 3, float: 0.5, str: "text", list: ["a=1"]}
SHARED = (
    "num_repeats shuffle_caption keep_tokens keep_tokens_separator secondary_separator caption_separator "
    "enable_wildcard caption_prefix caption_suffix token_warmup_min token_warmup_step color_aug flip_aug random_crop "
    "face_crop_aug_range resize_interpolation custom_attributes caption_dropout_rate caption_tag_dropout_rate "
    "caption_dropout_every_n_epochs caption_extension class_tokens cache_info"
)
OF_A_DATASET = (
    "resolution batch_size enable_bucket min_bucket_reso max_bucket_reso bucket_reso_steps bucket_no_upscale "
    "network_multiplier validation_split validation_seed"
)
SHARED_KEYS = set(SHARED.split())
DATASET_KEYS = SHARED_KEYS | set(OF_A_DATASET.split())
SUBSET_KEYS = SHARED_KEYS | {"image_dir", "is_reg", "alpha_mask"}
"""What sd-scripts' own schema takes in each table. Source: facts, section 2.1."""


@pytest.fixture(scope="module")
def settings() -> Iterator[Any]:
    """The script's own reader of the two files; it needs no torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("settings")


@pytest.fixture
def read(settings: Any, tmp_path: Path) -> Any:
    """Read two files as the script does, and give what it says against them; empty where it takes them."""

    def _read(training: dict[str, object], dataset: dict[str, object]) -> str:
        (tmp_path / "t.toml").write_text(render({"a": training}))
        (tmp_path / "d.toml").write_text(render(dataset))
        try:
            settings.read_settings(tmp_path / "t.toml", tmp_path / "d.toml")
        except settings.RefusedError as refused:
            return str(refused)
        return ""

    return _read


def engine(folder: Path) -> EmbeddedEngine:
    return EmbeddedEngine(EngineConfig(name="embedded"), CachePaths(folder))


def preset(**tables: object) -> TrainConfig:
    setup = {"project_name": "x", "training_model": "Tiny random"}
    return TrainConfig.model_validate({"setup": setup, **tables})


def example(rule: honoured.Rule) -> object:
    """Give a value that a rule is content with."""
    if isinstance(rule, tuple):
        return rule[0]
    return EXAMPLES[next(kind for kind in EXAMPLES if kind is rule or (not isinstance(rule, type) and kind is int))]


def anything(option: Option) -> object:
    """Give a value of the option's own type."""
    kind = {"bool": True, "int": 3, "float": 0.5, "int_or_float": 3}.get(option.type, "text")
    return option.choices[0] if option.choices else ["text"] if option.many else kind


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_honoured_or_refused(name: str, read: Any, tmp_path: Path) -> None:
    """Of all that sd-scripts takes, the wrapper and the script take the same, and refuse the rest by name."""
    rule = honoured.TRAINING.get(name)
    value = anything(options()[name]) if rule is None else example(rule)
    before = [problem.where for problem in engine(tmp_path).problems(preset(sd_scripts={name: value}))]
    said = read({name: value}, {})
    assert (before == []) is (said == "") is (rule is not None)
    if rule is None:
        assert before == [f"sd_scripts.{name}"]
        assert f"does not honour {name}" in said


@pytest.mark.parametrize("name", sorted(honoured.TRAINING))
def test_an_honoured_option_takes_only_its_kind(name: str, read: Any) -> None:
    """Text for a flag, a list for a number, another optimizer: each would train something else, so each is refused."""
    wrong: object = {"a": 1} if honoured.TRAINING[name] is str else "false"
    assert f"does not honour {name} = " in read({name: wrong}, {})


def test_every_honoured_option_is_one_of_sd_scripts() -> None:
    """The list names nothing that sd-scripts would not know."""
    assert set(honoured.TRAINING) <= set(options())
    assert set(honoured.DATASET) <= DATASET_KEYS
    assert set(honoured.SUBSET) <= SUBSET_KEYS


def test_an_unknown_key_is_refused(read: Any) -> None:
    """sd-scripts takes a misspelt key silently; this engine does not."""
    assert "does not honour lerning_rate" in read({"lerning_rate": 1e-4}, {})


def test_a_table_in_a_table_is_refused(read: Any) -> None:
    """sd-scripts loses what stands in nested tables; this engine names them."""
    assert "does not honour deep" in read({"deep": {"seed": 3}}, {})


@pytest.mark.parametrize("key", sorted(DATASET_KEYS))
def test_every_dataset_key_is_honoured_or_refused(key: str, read: Any) -> None:
    """In [general] and in [[datasets]] the same keys are taken, and no other."""
    rule = honoured.DATASET.get(key)
    value = 3 if rule is None else example(rule)
    for place in ({"general": {"resolution": 64, key: value}}, {"datasets": [{"resolution": 64, key: value}]}):
        assert (f"does not honour {key}" in read({}, place)) is (rule is None)


@pytest.mark.parametrize("key", sorted(SUBSET_KEYS | DATASET_KEYS))
def test_every_subset_key_is_honoured_or_refused(key: str, read: Any) -> None:
    """A key that belongs to a dataset is refused in a subset, where sd-scripts refuses it too."""
    rule = honoured.SUBSET.get(key)
    subset = {"image_dir": "x", key: 3 if rule is None else example(rule)}
    said = read({}, {"datasets": [{"resolution": 64, "subsets": [subset]}]})
    assert (f"does not honour {key}" in said) is (rule is None)


def test_another_table_of_the_dataset_file_is_refused(read: Any) -> None:
    """Only [general] and [[datasets]] may stand there."""
    assert "does not honour dataset" in read({}, {"dataset": {"resolution": 64}})


@pytest.mark.parametrize(("rate", "flag"), [("text_encoder_lr", "unet"), ("unet_lr", "text_encoder")])
def test_a_rate_of_0_needs_its_flag(rate: str, flag: str, read: Any) -> None:
    """sd-scripts would save a part that was never trained; with the flag the part is left out, and that is taken."""
    key = f"network_train_{flag}_only"
    assert f"{rate} = 0 without {key} = true" in read({rate: 0.0}, {})
    assert read({rate: 0.0, key: True}, {}) == ""


TAKEN = (
    *("processing.resolution=128", "processing.flip_aug=false", 'processing.caption_extension=".caption"'),
    *("processing.shuffle_tags=false", "processing.activation_tags=2"),
    *("steps.num_repeats=3", "steps.how_many=2", 'steps.preferred_unit="Steps"', "steps.save_every_n_epochs=0"),
    *("steps.keep_only_last_n_epochs=1", "steps.train_batch_size=3"),
    *("learning.unet_lr=0.0", "learning.text_encoder_lr=0.0", "learning.min_snr_gamma=false"),
    *(f'learning.lr_scheduler="{name}"' for name in honoured.SCHEDULERS),
    *("learning.lr_warmup_ratio=0.5", "learning.lr_scheduler_number=2"),
    *("structure.network_dim=8", "structure.network_alpha=0.5"),
    *('optimizer.optimizer="AdamW"', 'optimizer.optimizer="SGD"'),
    *("training.seed=0", "training.clip_skip=1", "training.max_token_length=75", "training.max_token_length=150"),
    *("training.save_state=true", "training.keep_only_last_n_states=2"),
    "training.save_state_every_n_steps=5 training.save_state=true",
    *('engine.save_precision="float"', 'engine.attention="none"', "engine.gradient_checkpointing=true"),
)
REFUSED = (
    *('structure.lora_type="LoCon"', 'structure.lora_type="LoHa Lycoris"', 'setup.training_model="Anime"'),
    *("setup.custom_model_is_based_on_sd2=true", 'setup.vae="vae.safetensors"'),
    *('optimizer.optimizer="Prodigy"', 'optimizer.optimizer="Lion"', "training.weighted_captions=true"),
    'engine.mixed_precision="fp16"',
    *('engine.attention="xformers"', 'engine.fidelity="notebook"', "engine.cache_latents=false"),
    *("engine.max_data_loader_n_workers=2", "engine.num_processes=2", 'extras.override_config_file="own.toml"'),
    *('setup.optional_custom_training_model_url="https://a.example/model.safetensors?download=true"',),
    *('extras.override_dataset_config_file="own.toml"', "sd_scripts.noise_offset=0.1"),
)


@pytest.mark.parametrize("override", TAKEN)
def test_what_the_plan_lets_pass_the_script_takes(override: str, read: Any, tmp_path: Path, settings: Any) -> None:
    """No run is set up, written and launched only to be refused: both files of a good plan are taken whole."""
    planned = plan("demo", root=tmp_path, overrides=override.split(), cache=CachePaths(tmp_path / "cache"))
    job = planned.job(planned.project.run("RUN"))
    assert planned.findings.errors() == ()
    (tmp_path / "t.toml").write_text(training_toml(job))
    (tmp_path / "d.toml").write_text(dataset_toml(job))
    assert settings.read_settings(tmp_path / "t.toml", tmp_path / "d.toml").datasets


@pytest.mark.parametrize("override", REFUSED)
def test_what_is_not_honoured_is_refused_by_the_plan(override: str, tmp_path: Path) -> None:
    """Each field beyond the engine is an error that names the field, before anything is written."""
    field = override.partition("=")[0]
    with pytest.raises(KohyaWrapError, match=field.replace(".", r"\.")):
        plan("demo", root=tmp_path, overrides=[override], cache=CachePaths(tmp_path)).findings.raise_errors()


def test_every_field_that_sets_an_option_is_tried() -> None:
    """A new field has to take its place above, on one side or the other."""
    tried = {override.partition("=")[0] for override in TAKEN + REFUSED}
    need_files = {"dataset.images", "training.continue_from_lora", "training.resume"}
    assert set(FIELDS.values()) - tried <= need_files | {"setup.project_name", "optimizer.optimizer_args"}


def test_a_custom_dataset_is_looked_through(tmp_path: Path) -> None:
    """Regularization pictures in extras.custom_dataset are refused before the launch."""
    text = '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "a"\nis_reg = true\ncaption_dropout_rate = 0.1\n'
    problems = engine(tmp_path).problems(preset(extras={"custom_dataset": text}))
    assert {problem.where for problem in problems} == {"extras.custom_dataset"}
    assert [word in str(problems) for word in ("is_reg = True", "caption_dropout_rate")] == [True, True]


@pytest.mark.parametrize("given", ["models/a.SafeTensors", "https://host.example/a.ckpt"])
def test_a_single_file_base_is_refused(given: str, tmp_path: Path) -> None:
    """The engine reads diffusers folders, and says so before it has to."""
    setup = {"project_name": "x", "optional_custom_training_model_url": given}
    problems = engine(tmp_path).problems(TrainConfig.model_validate({"setup": setup}))
    assert [problem.where for problem in problems] == ["setup.optional_custom_training_model_url"]
    assert "diffusers folder" in problems[0].todo
