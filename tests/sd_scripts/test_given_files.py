"""Files that a preset names for the engine are looked for before the launch."""

from pathlib import Path

from helpers_sd_scripts import make_config

from kohya_wrap.sd_scripts import check_given_files, read_given_files
from kohya_wrap.sd_scripts.options import DEFAULT_SCRIPT


def test_nothing_named_is_no_problem(tmp_path: Path) -> None:
    """A preset that names no files has none missing."""
    assert check_given_files(make_config(), root=tmp_path) == []


def test_missing_files_come_all_at_once(tmp_path: Path) -> None:
    """A LoRA, a state and a prompt file that are not there are three problems, each by its key."""
    config = make_config(
        training={"continue_from_lora": "a.safetensors", "resume": "b-state"}, sd_scripts={"sample_prompts": "c.txt"}
    )
    found = [problem.where for problem in check_given_files(config, root=tmp_path)]
    assert found == ["training.continue_from_lora", "training.resume", "sd_scripts.sample_prompts"]


def test_files_that_are_there(tmp_path: Path) -> None:
    """Relative paths start at the root, and files that are there are no problem."""
    (tmp_path / "a.safetensors").write_bytes(b"")
    (tmp_path / "b-state").mkdir()
    (tmp_path / "b-state" / "train_state.json").write_text("{}")
    (tmp_path / "w.safetensors").write_bytes(b"")
    config = make_config(
        training={"continue_from_lora": "a.safetensors", "resume": "b-state"},
        sd_scripts={"base_weights": ["w.safetensors", str(tmp_path / "w.safetensors")]},
    )
    assert check_given_files(config, root=tmp_path) == []


def test_a_lora_must_be_safetensors(tmp_path: Path) -> None:
    """continue_from_lora takes .safetensors only, as in the notebook."""
    (tmp_path / "a.ckpt").write_bytes(b"")
    (problem,) = check_given_files(make_config(training={"continue_from_lora": "a.ckpt"}), root=tmp_path)
    assert ".safetensors" in problem.what


def test_a_folder_without_a_state(tmp_path: Path) -> None:
    """A folder that save_state did not write is refused."""
    (tmp_path / "b-state").mkdir()
    (problem,) = check_given_files(make_config(training={"resume": "b-state"}), root=tmp_path)
    assert "train_state.json" in problem.what


def test_ready_made_files_are_read_with_the_others_looked_at(tmp_path: Path) -> None:
    """A key that is no option and a LoRA that is not there come together; a file that is not TOML gives no values."""
    (tmp_path / "mine.toml").write_text("seed = 3\nsede = 4\n")
    config = make_config(training={"continue_from_lora": "a.safetensors"}, extras={"override_config_file": "mine.toml"})
    files, problems = read_given_files(config, root=tmp_path, script=DEFAULT_SCRIPT)
    assert files.training == {"seed": 3, "sede": 4}
    assert [each.where for each in problems] == ["training.continue_from_lora", "extras.override_config_file, sede"]
    (tmp_path / "mine.toml").write_text("seed: 3")
    files, problems = read_given_files(config, root=tmp_path, script=DEFAULT_SCRIPT)
    assert files.training is None
    assert [each.where for each in problems] == ["training.continue_from_lora", "extras.override_config_file"]
