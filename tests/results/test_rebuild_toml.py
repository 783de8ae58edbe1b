"""A preset from sd-scripts' own files: what kohya_wrap wrote comes back as the preset it was written from."""

import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from kohya_wrap import presets
from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import PresetError
from kohya_wrap.presets import Given
from kohya_wrap.results.rebuild import given_by_toml
from kohya_wrap.sd_scripts import check_passthrough, training_toml

TESTS = Path(__file__).resolve().parents[1]
GOLDEN = TESTS / "golden"
sys.path.insert(0, str(TESTS / "sd_scripts"))
from helpers_sd_scripts import SHAPES, flat, make_job  # noqa: E402

NAME = "lakto-lora"
WITHOUT_FIELDS = {"override", "notebook", "notebook-zeros", "notebook-lycoris", "draws-while-training"}
"""Shapes whose file alone gives no fields: a ready-made one, the notebook's own values, and one whose prompts lie in
another file of the run."""


ONE_FOLDER = """
[[datasets]]
[[datasets.subsets]]
image_dir = "{}"
num_repeats = 3
[general]
enable_bucket = true
"""


def config_of(folder: Path, given: Given) -> TrainConfig:
    path = presets.new_preset(NAME, target_dir=folder, given=given)
    return presets.load(path, checks=[check_passthrough]).config


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("shape", sorted(SHAPES.keys() - WITHOUT_FIELDS))
def test_our_own_training_file_comes_back(shape: str, tmp_path: Path) -> None:
    """Read back and written again, every golden training file is the same: all options but places and hardware."""
    golden = GOLDEN / f"{shape}.training.toml"
    config = config_of(tmp_path, given_by_toml(NAME, [golden, GOLDEN / f"{shape}.dataset.toml"]))
    job = make_job(SHAPES[shape])
    ratio = job.config.learning.model_dump(include={"lr_warmup_ratio"})  # the pictures it is told by are not here
    again = config.model_copy(update={"learning": config.learning.model_copy(update=ratio)})
    written = training_toml(replace(job, config=again))
    expected = flat(golden.read_text(encoding="utf-8"))
    expected.pop("log_config", None)  # one shape states what the engine does anyway; that is left out
    assert flat(written) == expected


def test_hardware_is_as_the_file_has_it(tmp_path: Path) -> None:
    """Precision, attention and workers of the file, not those of this machine."""
    engine = config_of(tmp_path, given_by_toml(NAME, [GOLDEN / "cpu.training.toml"])).engine
    assert (engine.mixed_precision, engine.attention, engine.max_data_loader_n_workers) == ("no", "sdpa", 0)


def test_several_folders_become_a_custom_dataset(tmp_path: Path) -> None:
    """Each with its own options, buckets included."""
    config = config_of(tmp_path, given_by_toml(NAME, [GOLDEN / "two-groups.dataset.toml"]))
    first, second = tomllib.loads(config.extras.custom_dataset)["datasets"]
    assert [subset["image_dir"] for subset in first["subsets"]] == ["/pictures/close-ups", "/pictures/reg"]
    assert first["subsets"][0]["caption_prefix"] == "close-up, "
    assert (first["resolution"], second["resolution"], second["batch_size"]) == (512, 768, 1)


def test_the_project_s_own_folder_is_used_as_it_is(tmp_path: Path) -> None:
    """Loras/NAME/dataset needs no copy; any other folder is named."""
    own = given_by_toml(NAME, [write(tmp_path / "own.toml", ONE_FOLDER.format(f"/x/Loras/{NAME}/dataset"))])
    other = given_by_toml(NAME, [write(tmp_path / "other.toml", ONE_FOLDER.format("/x/pictures"))])
    assert own.values["dataset.images"] == ""
    assert (other.values["dataset.images"], other.values["steps.num_repeats"]) == ("/x/pictures", 3)
    assert "extras.custom_dataset" not in other.values


def test_other_buckets_become_a_custom_dataset(tmp_path: Path) -> None:
    """Buckets that the fields cannot hold are not lost."""
    text = '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "/p"\n[general]\nresolution = 512\nenable_bucket = false\n'
    config = config_of(tmp_path, given_by_toml(NAME, [write(tmp_path / "d.toml", text)]))
    (dataset,) = tomllib.loads(config.extras.custom_dataset)["datasets"]
    assert (dataset["enable_bucket"], dataset["resolution"]) == (False, 512)


def test_the_warm_up_is_told_by_the_pictures(tmp_path: Path) -> None:
    """4 pictures x 10 repeats x 5 epochs / 2 = 100 steps, 7 of them of warm-up."""
    for index in range(4):
        path = tmp_path / "pictures" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    folder = (tmp_path / "pictures").as_posix()
    dataset = f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = '{folder}'\nnum_repeats = 10\n"
    write(tmp_path / "both" / "dataset.toml", dataset)
    training = "max_train_epochs = 5\ntrain_batch_size = 2\nlr_warmup_steps = 7\nlr_scheduler = 'linear'\n"
    write(tmp_path / "both" / "training.toml", training)
    assert given_by_toml(NAME, [tmp_path / "both"]).values["learning.lr_warmup_ratio"] == 0.07


def test_a_training_file_names_its_dataset_file(tmp_path: Path) -> None:
    """dataset_config is followed, from where the training file lies."""
    write(tmp_path / "d.toml", ONE_FOLDER.format("/p"))
    given = given_by_toml(NAME, [write(tmp_path / "t.toml", 'dataset_config = "d.toml"')])
    assert given.values["steps.num_repeats"] == 3


def test_what_is_not_said_is_the_engine_s_default(tmp_path: Path) -> None:
    """A nearly empty file trains 1,600 steps of batch 1 at 2e-6, rank 4, clip skip 1, in fp32; so does the preset."""
    path = write(tmp_path / "t.toml", 'network_module = "networks.lora"')
    config = config_of(tmp_path, given_by_toml(NAME, [path]))
    steps, learning, training = config.steps, config.learning, config.training
    assert (steps.preferred_unit, steps.how_many, steps.train_batch_size) == ("Steps", 1600, 1)
    assert (learning.unet_lr, learning.lr_scheduler, learning.min_snr_gamma) == (2e-6, "constant", False)
    assert (config.structure.network_dim, config.structure.network_alpha, training.clip_skip) == (4, 1, 1)
    assert (config.engine.save_precision, config.engine.mixed_precision) == ("float", "no")
    assert config.optimizer.optimizer == "AdamW"


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("learning-rate = 1e-4", "No options of sd-scripts"),
        ('output_dir = "/x"', "Left to kohya_wrap: output_dir"),
        ('network_args = ["algo=lokr"]\nnetwork_module = "lycoris.kohya"', "algo lokr is no lora_type"),
        ("train_batch_size = 0", "train_batch_size cannot be 0"),
        ('seed = "42"', "seed cannot be '42'"),
        ("mem_eff_attn = true", "attention cannot be 'mem_eff_attn'"),
        ("noise_offset = 'much'", "noise_offset = 'much' was left out"),
        ("lr_warmup_steps = 7\nmax_train_epochs = 1", "The warm-up is 7 steps"),
    ],
)
def test_what_a_preset_cannot_hold_is_said(line: str, note: str, tmp_path: Path) -> None:
    """Misspelt, wrong, or kohya_wrap's own to set: a note, and a preset that loads."""
    given = given_by_toml(NAME, [write(tmp_path / "t.toml", line)])
    assert any(note in text for text in given.notes), given.notes
    assert config_of(tmp_path, given).setup.project_name == NAME


@pytest.mark.parametrize("content", ["no toml", "a = [", "\udcff"])
def test_what_is_no_toml_is_refused(content: str, tmp_path: Path) -> None:
    """The file and what to do are said."""
    path = tmp_path / "t.toml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(PresetError, match="is no TOML"):
        given_by_toml(NAME, [path])


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    """Nothing to read is an error."""
    with pytest.raises(PresetError, match="cannot be read"):
        given_by_toml(NAME, [tmp_path / "t.toml"])
    with pytest.raises(PresetError, match="holds no"):
        given_by_toml(NAME, [tmp_path])


@pytest.mark.parametrize(("gamma", "value"), [("0", False), ("5", True), ("8.0", 8.0), ("1", 1.0)])
def test_a_gamma_of_min_snr_comes_back(gamma: str, value: float, tmp_path: Path) -> None:
    """Lora_Trainer's 5 is its flag, Lora_Trainer_XL's 8 a number; 1 is no flag."""
    config = config_of(tmp_path, given_by_toml(NAME, [write(tmp_path / "t.toml", f"min_snr_gamma = {gamma}")]))
    assert (config.learning.min_snr_gamma, type(config.learning.min_snr_gamma)) == (value, type(value))
