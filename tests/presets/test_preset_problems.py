"""Everything wrong with a preset comes at once, each with file, table.key, what and what to do."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from preset_helpers import NAMED, only_problem, problems_of, write

from kohya_wrap import presets
from kohya_wrap.errors import PresetError, Problem


@pytest.mark.parametrize(
    ("text", "where", "what", "todo"),
    [
        ("[learnin]\nunet_lr = 1", "learnin", "no table", "[learning]"),
        ("[learning]\nunet_rl = 1", "learning.unet_rl", "no field of [learning]", 'did you mean "unet_lr"?'),
        ("[learning]\nnetwork_dim = 1", "learning.network_dim", "no field", "it belongs in [structure]"),
        ("[learning]\nNetwork-Dim = 1", "learning.Network-Dim", "no field", "it belongs in [structure]"),
        ("[learning]\nnetwrk_dim = 1", "learning.netwrk_dim", "no field", '"network_dim" in [structure]'),
        ("[learning]\nqqqq = 1", "learning.qqqq", "no field", "[learning] has: unet_lr"),
        ("[zzzz]\na = 1", "zzzz", "no table", "the tables are: setup"),
        ("[training_arguments]\na = 1", "training_arguments", "no table", "extras.override_config_file"),
        ("[[datasets]]\na = 1", "datasets", "no table", "extras.override_dataset_config_file"),
        ("[steps]\nhow_many = 1.5", "steps.how_many", "a whole number of at least 1, not 1.5", ""),
        ("[steps]\nhow_many = 2.0", "steps.how_many", "not 2.0", "write 2"),
        (f"[steps]\nhow_many = {1 << 63}", "steps.how_many", "more than 64 bits", "a smaller one"),
        ('[extras]\nzip = "a\\u0000"', "extras.zip", "a zero byte", "remove it"),
        (f"[sd_scripts]\nmax_timestep = [1, {-1 << 64}]", "sd_scripts.max_timestep", "more than 64 bits", ""),
        ('[steps]\nhow_many = "2"', "steps.how_many", "not '2'", "remove the quotes: 2"),
        ("[steps]\nhow_many = 0", "steps.how_many", "of at least 1, not 0", ""),
        ('[processing]\nflip_aug = "True"', "processing.flip_aug", "true or false", "remove the quotes: true"),
        ("[processing]\nresolution = 500", "processing.resolution", "that 64 divides", "448 or 512"),
        ("[learning]\nlr_warmup_ratio = 1.5", "learning.lr_warmup_ratio", "and at most 1, not 1.5", ""),
        ("[learning]\nunet_lr = nan", "learning.unet_lr", "a number of at least 0, not nan", ""),
        ('[learning]\nlr_scheduler = "cosin"', "learning.lr_scheduler", '"cosine", ', 'did you mean "cosine"?'),
        (
            '[setup]\nfolder_structure = "Organize by category (MyDrive/lora_training/datasets/project_name)"',
            "setup.folder_structure",
            "one of",
            'did you mean "category"?',
        ),
        (
            '[setup]\ntraining_model = "AnyLora (AnyLoRA_noVae_fp16-pruned.ckpt)"',
            "setup.training_model",
            "one of",
            'did you mean "AnyLora"?',
        ),
        ("[structure]\nnetwork_alpha = 0", "structure.network_alpha", "a number above 0", ""),
        ("[training]\nseed = 4294967296", "training.seed", "and below 4294967296", ""),
        ("[setup]\nvae = 3", "setup.vae", "a text in quotes", 'put it in quotes: "3"'),
        ("[setup]\nbase_model_sha256 = 'AB'", "setup.base_model_sha256", "64 hexadecimal digits", ""),
        ('[optimizer]\noptimizer = ""', "optimizer.optimizer", "not empty", ""),
        ('[optimizer]\noptimizer_args = "a=1"', "optimizer.optimizer_args", "a list of texts", '["a=1"]'),
        ("[optimizer]\noptimizer_args = [1]", "optimizer.optimizer_args", "a list of texts", ""),
        ("[dataset]\nimages = 3", "dataset.images", "a text in quotes or a list of texts", ""),
        ("[dataset.images]\na = 3", "dataset.images", "a text in quotes or a list of texts", ""),
        ("[[steps]]\nhow_many = 3", "steps", "must be a table", "[steps]"),
        ("[sd_scripts]\na = {b = 1}", "sd_scripts.a", "a list of these", ""),
    ],
)
def test_a_wrong_name_or_value_is_explained(tmp_path: Path, text: str, where: str, what: str, todo: str) -> None:
    """Misspelt names get the nearest right one, wrong values are told what may stand there."""
    base = write(tmp_path, "base", NAMED)
    path = write(tmp_path, "top", f'extends = "{base.name}"\n{text}\n')
    problem = only_problem(path)
    assert problem.where == f"{path}: {where}"
    assert what in problem.what
    assert todo in problem.todo


@pytest.mark.parametrize(
    ("line", "todo"),
    [
        ("resolution = 512", "[processing]"),
        ('extend = "demo"', "extends"),
        ("zzz = 1", "[sd_scripts]"),
        ("unet_rl = 1", '"unet_lr"? It goes under [learning]'),
    ],
)
def test_a_key_outside_all_tables_is_shown_its_place(tmp_path: Path, line: str, todo: str) -> None:
    """A field above the first table is told which table it belongs under."""
    path = write(tmp_path, "top", f"{line}\n{NAMED}")
    problem = only_problem(path)
    assert "outside any table" in problem.what
    assert todo in problem.todo


@pytest.mark.parametrize("text", ["", "[setup]\n", "[steps]\nhow_many = 3\n"])
def test_a_preset_without_a_project_name_is_told(tmp_path: Path, text: str) -> None:
    """The one required field is named, with a line to add."""
    path = write(tmp_path, "top", text)
    problem = only_problem(path)
    assert problem.where == f"{path}: setup.project_name"
    assert "missing" in problem.what
    assert "project_name =" in problem.todo


def test_a_project_name_of_the_wrong_kind_is_one_problem(tmp_path: Path) -> None:
    """It is not called missing on top."""
    problem = only_problem(write(tmp_path, "top", "[setup]\nproject_name = 3\n"))
    assert "a text in quotes" in problem.what


def test_all_problems_come_at_once_with_the_file_each_came_from(tmp_path: Path) -> None:
    """Names, types, rules and overrides of all files are in one error, which has a line for each."""
    base = write(tmp_path, "base", '[setup]\nproject_name = "a b"\n[steps]\nhow_man = 1\n')
    text = 'extends = "base"\n[processing]\nresolution = "512"\n[training]\nmax_token_length = 77\n[nope]\n'
    path = write(tmp_path, "top", text)
    with pytest.raises(PresetError) as caught:
        presets.load(path, overrides=["learning.unet_lr=fast", "seed"])
    assert {problem.where for problem in caught.value.problems} == {
        f"{base}: setup.project_name",
        f"{base}: steps.how_man",
        f"{path}: processing.resolution",
        f"{path}: training.max_token_length",
        f"{path}: nope",
        "--set learning.unet_lr",
        "--set",
    }
    assert str(caught.value).splitlines()[0] == "7 problems in the preset top"
    assert len(str(caught.value).splitlines()) == 8
    assert caught.value.exit_code == 10


def test_a_wrong_field_does_not_make_a_rule_misfire(tmp_path: Path) -> None:
    """A misspelt engine is one problem, not also a toy base model trained by the default engine."""
    text = NAMED + 'training_model = "Tiny random"\n[engine]\nname = "embeded"\n'
    assert only_problem(write(tmp_path, "top", text)).what.startswith("must be one of")


def test_files_below_the_current_folder_are_shown_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file lies below the current folder, its path is told from there."""
    write(tmp_path, "top", NAMED + "[steps]\nhow_man = 1\n")
    monkeypatch.chdir(tmp_path)
    assert only_problem(Path("top.toml")).where == "top.toml: steps.how_man"


def test_further_checks_are_given_the_merged_tables_and_heard_with_the_rest(tmp_path: Path) -> None:
    """A later room's check sees files and overrides merged; its word on a key replaces ours."""
    seen: list[Mapping[str, object]] = []

    def check(tables: Mapping[str, object]) -> list[Problem]:
        seen.append(tables)
        return [Problem("learning.noise_offset", "is an option of sd-scripts", "put it under [sd_scripts]")]

    path = write(tmp_path, "top", NAMED + "[learning]\nnoise_offset = 0.1\n[steps]\nhow_man = 1\n")
    with pytest.raises(PresetError) as caught:
        presets.load(path, overrides=["training.seed=3"], checks=[check])
    assert seen[0]["training"] == {"seed": 3}
    assert [problem.what for problem in caught.value.problems if "noise_offset" in problem.where] == [
        "is an option of sd-scripts"
    ]
    assert any(problem.where.endswith("steps.how_man") for problem in caught.value.problems)


def test_warnings_do_not_forbid_and_name_their_place(tmp_path: Path) -> None:
    """A warning of a rule or of a further check is in `warnings`."""

    def check(tables: Mapping[str, object]) -> list[Problem]:
        return [Problem("sd_scripts.noise_offset", "is unusual", "", "warning")] if tables else []

    path = write(tmp_path, "top", NAMED + "[steps]\ntrain_batch_size = 9\n[sd_scripts]\nnoise_offset = 0.1\n")
    loaded = presets.load(path, checks=[check])
    assert [warning.where for warning in loaded.warnings] == [
        f"{path}: steps.train_batch_size",
        f"{path}: sd_scripts.noise_offset",
    ]


def test_passed_through_options_keep_their_values(tmp_path: Path) -> None:
    """0, false, texts and lists under [sd_scripts] arrive as they were written."""
    text = NAMED + '[sd_scripts]\na = 0\nb = false\nc = "x"\nd = ["k=v"]\ne = 0.0\n'
    config = presets.load(write(tmp_path, "top", text)).config
    assert dict(config.sd_scripts) == {"a": 0, "b": False, "c": "x", "d": ["k=v"], "e": 0.0}
    assert config.sd_scripts["b"] is False


def test_no_field_name_is_used_twice() -> None:
    """A key names its table, so that "it belongs in" has one answer."""
    tables = presets.schema()["definitions"].values()
    keys = [key for table in tables if table["title"] != "train" for key in table["properties"]]
    assert len(keys) == len(set(keys))


def test_many_problems_are_still_one_error(tmp_path: Path) -> None:
    """Every misspelt key of a file is listed."""
    text = NAMED + "[steps]\n" + "".join(f"xx{n} = 1\n" for n in range(30))
    assert len(problems_of(write(tmp_path, "top", text))) == 30
