"""Fetching sd-scripts, from real repositories on this disk."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kohya_wrap.engines.checkout import Pin, checkout_folder, ensure_checkout, head_commit, is_ready, read_pin
from kohya_wrap.errors import EngineError
from kohya_wrap.paths import CachePaths


def git(folder: Path, *arguments: str) -> str:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *arguments)
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Make a repository with sd-scripts' shape: an entry script, and two folders that are left out."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(folder, "config", "uploadpack.allowFilter", "true")
    commit(folder, "bitsandbytes_windows/big.dll", "x" * 1000)
    commit(folder, "configs/qwen3_06b/merges.txt", "x" * 1000)
    commit(folder, ".gitignore", "__pycache__\n")
    commit(folder, "train_network.py", "print('one')\n")
    return folder


@pytest.fixture
def pin(origin: Path) -> Pin:
    """Pin the origin as it stands."""
    return Pin(origin.as_uri(), git(origin, "rev-parse", "HEAD"), "0.1")


def fetch(folder: Path, pin: Pin, **environ: str) -> list[str]:
    said: list[str] = []
    ensure_checkout(folder, pin, say=said.append, environ={"PATH": os.environ["PATH"], **environ})
    return said


def test_the_pinned_commit_is_fetched(tmp_path: Path, pin: Pin) -> None:
    """A fresh machine gets exactly the commit that is named, and nothing else is left beside it."""
    fetch(tmp_path / "home" / "sd", pin)
    assert is_ready(tmp_path / "home" / "sd", pin)
    assert sorted(path.name for path in (tmp_path / "home").iterdir() if path.suffix != ".lock") == ["sd"]


def test_what_no_training_reads_is_left_out(tmp_path: Path, pin: Pin) -> None:
    """The two large folders do not come along."""
    fetch(tmp_path / "sd", pin)
    assert not (tmp_path / "sd" / "bitsandbytes_windows").exists()
    assert not (tmp_path / "sd" / "configs" / "qwen3_06b").exists()


def test_a_second_time_nothing_is_fetched(tmp_path: Path, pin: Pin, origin: Path) -> None:
    """Setup can be repeated without the network."""
    fetch(tmp_path / "sd", pin)
    origin.rename(tmp_path / "gone")
    assert fetch(tmp_path / "sd", pin) == []


def test_a_commit_that_is_no_longer_the_newest_is_fetched(tmp_path: Path, pin: Pin, origin: Path) -> None:
    """The pin stays the pin when the project it names goes on."""
    commit(origin, "train_network.py", "print('two')\n")
    fetch(tmp_path / "sd", pin)
    assert (tmp_path / "sd" / "train_network.py").read_text() == "print('one')\n"


def test_a_new_pin_replaces_an_untouched_checkout(tmp_path: Path, pin: Pin, origin: Path) -> None:
    """A project update moves the checkout by itself."""
    fetch(tmp_path / "sd", pin)
    newer = Pin(pin.repository, commit(origin, "train_network.py", "print('two')\n"), "0.2")
    fetch(tmp_path / "sd", newer)
    assert is_ready(tmp_path / "sd", newer)


def test_compiled_files_are_no_change(tmp_path: Path, pin: Pin) -> None:
    """Running the scripts leaves files that their own .gitignore names."""
    fetch(tmp_path / "sd", pin)
    (tmp_path / "sd" / "__pycache__").mkdir()
    (tmp_path / "sd" / "__pycache__" / "x.pyc").write_text("x")
    assert fetch(tmp_path / "sd", pin) == []


def test_a_changed_checkout_is_refused_and_kept(tmp_path: Path, pin: Pin) -> None:
    """Somebody's edits are neither run under the pin's name nor thrown away."""
    fetch(tmp_path / "sd", pin)
    script = tmp_path / "sd" / "train_network.py"
    script.write_text("print('mine')\n")
    with pytest.raises(EngineError, match=r"train_network\.py.*\n*.*sd_scripts_dir"):
        fetch(tmp_path / "sd", pin)
    assert script.read_text() == "print('mine')\n"


def test_a_folder_that_is_no_checkout_is_not_touched(tmp_path: Path, pin: Pin) -> None:
    """What the user put there stays."""
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "notes.txt").write_text("mine")
    with pytest.raises(EngineError, match="not a git checkout"):
        fetch(tmp_path / "sd", pin)
    assert (tmp_path / "sd" / "notes.txt").read_text() == "mine"


def test_the_address_can_be_overridden(tmp_path: Path, pin: Pin, origin: Path) -> None:
    """SD_SCRIPTS_URL wins over the pinned address, and the commit is still the pin's."""
    elsewhere = Pin("https://nowhere.invalid/x", pin.commit, pin.version)
    said = fetch(tmp_path / "sd", elsewhere, SD_SCRIPTS_URL=str(origin))
    assert str(origin) in said[0]
    assert is_ready(tmp_path / "sd", pin)


def test_an_unreachable_repository_leaves_nothing(tmp_path: Path, pin: Pin) -> None:
    """A failed fetch says what to do, and a later one starts clean."""
    with pytest.raises(EngineError, match="SD_SCRIPTS_URL"):
        fetch(tmp_path / "home" / "sd", Pin((tmp_path / "no").as_uri(), pin.commit, "0.1"))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["sd.lock"]


def test_a_repository_without_the_commit_is_named_as_such(tmp_path: Path, pin: Pin) -> None:
    """A fork or an old mirror is told from a broken network."""
    with pytest.raises(EngineError, match="does not have commit ffffffffffff"):
        fetch(tmp_path / "sd", Pin(pin.repository, "f" * 40, "0.1"))


def test_without_git_it_says_so(tmp_path: Path, pin: Pin) -> None:
    """The message names the program to install, and the way without it."""
    with pytest.raises(EngineError, match="git is not installed"):
        fetch(tmp_path / "sd", pin, PATH=str(tmp_path))


def test_a_hook_s_repository_is_not_written_to(tmp_path: Path, pin: Pin, origin: Path) -> None:
    """Run inside a git hook, the fetch does not take the committing repository for its own."""
    fetch(tmp_path / "sd", pin, GIT_DIR=str(origin / ".git"), GIT_WORK_TREE=str(origin))
    assert is_ready(tmp_path / "sd", pin)


def test_what_an_interrupted_fetch_left_is_swept(tmp_path: Path, pin: Pin) -> None:
    """A half-made checkout never gets the name, and does not stay for ever."""
    home = tmp_path / "home"
    (home / "sd.abc.part").mkdir(parents=True)
    (home / "sd.abc.part" / "half").write_text("x")
    fetch(home / "sd", pin)
    assert not (home / "sd.abc.part").exists()


def test_two_at_once_end_with_one_checkout(tmp_path: Path, pin: Pin) -> None:
    """Whoever comes second waits, and finds it done."""
    said: list[list[str]] = []
    threads = [threading.Thread(target=lambda: said.append(fetch(tmp_path / "sd", pin))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for lines in said for line in lines if line.startswith("Fetching")]) == 1
    assert is_ready(tmp_path / "sd", pin)


def test_the_commit_is_read_without_git(origin: Path) -> None:
    """A branch, a packed branch and a detached head are all understood."""
    expected = git(origin, "rev-parse", "HEAD")
    assert head_commit(origin) == expected
    git(origin, "pack-refs", "--all")
    assert head_commit(origin) == expected
    git(origin, "checkout", "--quiet", "--detach")
    assert head_commit(origin) == expected


def test_no_repository_has_no_commit(tmp_path: Path) -> None:
    """An unpacked archive of sd-scripts has no commit to tell."""
    assert head_commit(tmp_path) == ""


def test_a_clone_keeps_it_in_vendor(tmp_path: Path) -> None:
    """In a checkout of this project, sd-scripts lies where people look for it."""
    pin = Pin("x", "0" * 40, "0")
    (tmp_path / "vendor").mkdir()
    assert checkout_folder(pin, CachePaths(tmp_path / "c"), tmp_path / "vendor") == tmp_path / "vendor" / "sd-scripts"


def test_an_installed_package_keeps_it_in_the_cache(tmp_path: Path) -> None:
    """Nothing is written into an installed package; each commit has a folder of its own."""
    pin = Pin("x", "0" * 40, "0")
    vendor = tmp_path / "_shipped" / "vendor"
    vendor.mkdir(parents=True)
    assert checkout_folder(pin, CachePaths(tmp_path / "c"), vendor) == tmp_path / "c" / "sd-scripts" / pin.commit


def test_the_shipped_pin_is_whole() -> None:
    """The pin names one commit in full, so that nobody can move it."""
    pin = read_pin()
    assert len(pin.commit) == 40
    assert pin.repository.startswith("https://")
    assert sys.version_info >= (3, 11)


@pytest.mark.sd_scripts
def test_the_real_checkout_is_the_pin(sd_scripts_checkout: Path) -> None:
    """What setup fetched is what git itself says it is, unchanged."""
    assert git(sd_scripts_checkout, "rev-parse", "HEAD") == read_pin().commit
    assert git(sd_scripts_checkout, "status", "--porcelain") == ""
