"""`extends`, `--set`, and where each value came from."""

from pathlib import Path

import pytest
from preset_helpers import NAMED, only_problem, write

from kohya_wrap import presets
from kohya_wrap.errors import PresetError


def test_tables_merge_key_by_key(tmp_path: Path) -> None:
    """What the preset does not say comes from the one it extends; what neither says is the default."""
    base = write(tmp_path, "base", NAMED + "[steps]\nhow_many = 5\nnum_repeats = 3\n")
    path = write(tmp_path, "top", 'extends = "base"\n[steps]\nhow_many = 7\n')
    loaded = presets.load(path)
    steps = loaded.config.steps
    assert (steps.how_many, steps.num_repeats, steps.train_batch_size) == (7, 3, 2)
    assert loaded.paths == (path, base)
    assert (loaded.name, loaded.path) == ("top", path)
    assert loaded.origins["steps.how_many"] == str(path)
    assert loaded.origins["steps.num_repeats"] == str(base)
    assert loaded.origins["steps.train_batch_size"] == "default"


def test_lists_are_replaced(tmp_path: Path) -> None:
    """A list of the upper preset stands alone."""
    write(tmp_path, "base", NAMED + '[optimizer]\noptimizer_args = ["weight_decay=0.1", "eps=1e-8"]\n')
    path = write(tmp_path, "top", 'extends = "base"\n[optimizer]\noptimizer_args = ["eps=1e-6"]\n')
    assert presets.load(path).config.optimizer.optimizer_args == ("eps=1e-6",)


def test_extends_goes_over_several_files_and_folders(tmp_path: Path) -> None:
    """A relative path starts at the file that names it, a name is found beside the file or in the search folders."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "shared").mkdir()
    write(tmp_path / "shared", "far", NAMED + "[steps]\nnum_repeats = 4\n")
    write(tmp_path, "middle", 'extends = "far"\n')
    path = write(tmp_path / "deep", "top", 'extends = "../middle.toml"\n')
    loaded = presets.load(path, search=[tmp_path / "shared"])
    assert [file.stem for file in loaded.paths] == ["top", "middle", "far"]
    assert loaded.config.steps.num_repeats == 4


def test_a_preset_may_extend_a_shipped_one_of_its_own_name(tmp_path: Path) -> None:
    """A project's character.toml builds on the character.toml that comes with kohya_wrap."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    write(shipped, "character", NAMED + "[steps]\nnum_repeats = 4\n")
    path = write(tmp_path, "character", 'extends = "character"\n')
    assert presets.load(path, search=[shipped]).config.steps.num_repeats == 4


def test_a_circle_is_shown(tmp_path: Path) -> None:
    """Presets that extend each other are an error that draws the circle."""
    write(tmp_path, "a", 'extends = "b"\n')
    write(tmp_path, "b", 'extends = "c"\n')
    write(tmp_path, "c", 'extends = "b"\n')
    problem = only_problem(tmp_path / "a.toml")
    assert "b.toml → c.toml → b.toml" in problem.what
    assert problem.where == f"{tmp_path / 'c.toml'}: extends"


def test_a_preset_that_extends_itself_is_a_circle(tmp_path: Path) -> None:
    """The smallest circle is one too."""
    path = write(tmp_path, "a", 'extends = "a.toml"\n')
    assert "a.toml → a.toml" in only_problem(path).what


def test_a_missing_base_names_the_file_that_wants_it(tmp_path: Path) -> None:
    """The error stands at `extends`, with the nearest name there is."""
    write(tmp_path, "character", NAMED)
    path = write(tmp_path, "top", 'extends = "caracter"\n')
    problem = only_problem(path, search=[tmp_path])
    assert problem.where == f"{path}: extends"
    assert '"character"' in problem.todo


@pytest.mark.parametrize("value", ["3", '["a", "b"]', '""'])
def test_extends_is_one_name(tmp_path: Path, value: str) -> None:
    """A list, a number or nothing is refused."""
    path = write(tmp_path, "top", f"extends = {value}\n")
    assert only_problem(path).where == f"{path}: extends"


@pytest.mark.parametrize(
    ("text", "table", "key", "value"),
    [
        ("learning.unet_lr=1e-4", "learning", "unet_lr", 1e-4),
        ("training.seed=0", "training", "seed", 0),
        ("processing.flip_aug=true", "processing", "flip_aug", True),
        ("setup.project_name=other", "setup", "project_name", "other"),
        ("setup.project_name=2024", "setup", "project_name", "2024"),
        ('setup.project_name="quoted"', "setup", "project_name", "quoted"),
        ("setup.vae=", "setup", "vae", ""),
        ("dataset.images=my picture.png", "dataset", "images", "my picture.png"),
        ("dataset.images=C:\\pictures\\new", "dataset", "images", "C:\\pictures\\new"),
        ("dataset.images=1", "dataset", "images", "1"),
        ('dataset.images=["a.png", "b=c.png"]', "dataset", "images", ("a.png", "b=c.png")),
        ('optimizer.optimizer_args=["weight_decay=0.1"]', "optimizer", "optimizer_args", ("weight_decay=0.1",)),
        (" learning.unet_lr = 1e-4 ", "learning", "unet_lr", 1e-4),
    ],
)
def test_set_takes_toml_values_and_plain_text(tmp_path: Path, text: str, table: str, key: str, value: object) -> None:
    """A value is TOML where it can be read so, else text; a text field takes a number as text."""
    loaded = presets.load(write(tmp_path, "top", NAMED), overrides=[text])
    assert getattr(getattr(loaded.config, table), key) == value
    assert loaded.origins[f"{table}.{key}"] == "--set"


def test_overrides_may_be_a_mapping(tmp_path: Path) -> None:
    """From Python the values are given as they are; a Path is one too."""
    overrides = {"training.seed": 7, "dataset.images": tmp_path / "x.png"}
    loaded = presets.load(write(tmp_path, "top", NAMED), overrides=overrides)
    assert (loaded.config.training.seed, loaded.config.dataset.images) == (7, str(tmp_path / "x.png"))


def test_the_last_override_wins(tmp_path: Path) -> None:
    """Two --set of one key are taken in order."""
    loaded = presets.load(write(tmp_path, "top", NAMED), overrides=["training.seed=1", "training.seed=2"])
    assert loaded.config.training.seed == 2


@pytest.mark.parametrize("text", ["seed", "seed=3", ".seed=3", "training.=3", "=3", ""])
def test_an_override_without_a_table_and_key_is_refused(tmp_path: Path, text: str) -> None:
    """The error shows how one is written."""
    problem = only_problem(write(tmp_path, "top", NAMED), overrides=[text])
    assert problem.where == "--set"
    assert "table.key=value" in problem.todo


def test_a_wrong_override_is_reported_as_one(tmp_path: Path) -> None:
    """A misspelt key or a wrong value of --set says so, like those of the file."""
    path = write(tmp_path, "top", NAMED)
    assert only_problem(path, overrides=["learning.unet_rl=1"]).where == "--set learning.unet_rl"
    assert only_problem(path, overrides=["steps.how_many=x"]).where == "--set steps.how_many"


def test_another_base_model_does_not_inherit_the_hash(tmp_path: Path) -> None:
    """The hash of the lower preset's file is not asked of a file that --set or an upper preset names."""
    text = NAMED + f'optional_custom_training_model_url = "a"\nbase_model_sha256 = "{"0" * 64}"\n'
    path = write(tmp_path, "top", text)
    key = "setup.optional_custom_training_model_url"
    assert presets.load(path).config.setup.base_model_sha256 == "0" * 64
    assert presets.load(path, overrides=[f"{key}=a"]).config.setup.base_model_sha256 == "0" * 64
    other = presets.load(path, overrides=[f"{key}=b.safetensors"])
    assert other.config.setup.base_model_sha256 == ""
    assert "another base model" in other.origins["setup.base_model_sha256"]
    both = [f"{key}=b.safetensors", f"setup.base_model_sha256={'1' * 64}"]
    for order in (both, both[::-1]):
        assert presets.load(path, overrides=order).config.setup.base_model_sha256 == "1" * 64


def test_rules_say_why_they_changed_a_value(tmp_path: Path) -> None:
    """`config` is what takes effect, `stated` what was written, `origins` names the rule."""
    path = write(tmp_path, "top", NAMED + '[optimizer]\noptimizer = "Prodigy"\n[learning]\nunet_lr = 1e-3\n')
    loaded = presets.load(path)
    assert (loaded.config.learning.unet_lr, loaded.stated.learning.unet_lr) == (0.5, 1e-3)
    assert loaded.origins["learning.unet_lr"].startswith("rule: ")
    assert [warning.where for warning in loaded.warnings] == [f"{path}: learning.unet_lr"]


def test_nothing_is_read_from_a_preset_with_a_broken_base(tmp_path: Path) -> None:
    """A syntax error in the extended file is reported with that file."""
    base = write(tmp_path, "base", "[setup\n")
    path = write(tmp_path, "top", 'extends = "base"\n')
    with pytest.raises(PresetError) as caught:
        presets.load(path)
    assert caught.value.problems[0].where == f"{base}:1"
