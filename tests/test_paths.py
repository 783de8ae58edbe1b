"""Every path stands where the notebook put it."""

from pathlib import Path

from kohya_wrap.paths import CachePaths, ProjectPaths, package_data


def test_by_project() -> None:
    """Loras/NAME/dataset, Loras/NAME/output, Loras/_logs."""
    paths = ProjectPaths(Path("/r"), "tiger")
    assert (paths.config, paths.dataset) == (Path("/r/Loras/tiger"), Path("/r/Loras/tiger/dataset"))
    assert (paths.output, paths.logs) == (Path("/r/Loras/tiger/output"), Path("/r/Loras/_logs"))


def test_by_category() -> None:
    """lora_training/datasets/NAME and its sisters."""
    paths = ProjectPaths(Path("/r"), "tiger", "category")
    main = Path("/r/lora_training")
    assert (paths.config, paths.dataset) == (main / "config/tiger", main / "datasets/tiger")
    assert (paths.output, paths.logs) == (main / "output/tiger", main / "log")


def test_a_run_has_its_own_logs() -> None:
    """Two runs of one project never share a folder."""
    project = ProjectPaths(Path("/r"), "tiger")
    one, two = project.run("1"), project.run("2")
    assert one.log_dir != two.log_dir
    assert one.record == Path("/r/Loras/tiger/runs/1/run.json")
    assert one.id == "1"


def test_the_cache_follows_the_environment() -> None:
    """KOHYA_WRAP_HOME wins over XDG_CACHE_HOME."""
    assert CachePaths.from_environment({"KOHYA_WRAP_HOME": "/a", "XDG_CACHE_HOME": "/b"}).home == Path("/a")
    assert CachePaths.from_environment({"XDG_CACHE_HOME": "/b"}).home == Path("/b/kohya-wrap")
    assert CachePaths.from_environment({}).home == Path.home() / ".cache/kohya-wrap"


def test_the_shipped_presets_are_found() -> None:
    """A checkout has its presets at the top."""
    assert (package_data("presets") / "demo.toml").is_file()
