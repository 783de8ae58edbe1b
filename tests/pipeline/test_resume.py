"""A run that was stopped goes on, and ends as if it had not been."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers_resume import check_same, records, stop_after

from kohya_wrap import KohyaWrapError, RunRecord, plan, resume, run
from kohya_wrap.errors import DatasetError, InterruptedRunError, OutputError, PresetError
from kohya_wrap.resuming import newest_run

pytestmark = pytest.mark.engine

COMMAND = str(Path(sys.executable).with_name("kohya-wrap"))
SHORT = (
    "samples.prompts=[]",
    "steps.num_repeats=2",
    "training.save_state=true",
    "training.keep_only_last_n_states=2",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, engine_python: Path) -> RunRecord:
    """A run of four epochs that nobody stopped."""
    assert engine_python.exists()
    return run("demo", root=tmp_path_factory.mktemp("whole"), overrides=SHORT).record


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, whole: RunRecord) -> tuple[Path, Path]:
    """The same, stopped after its second epoch, and a copy of it."""
    root = tmp_path_factory.mktemp("stopped")
    assert whole.status == "succeeded"
    with pytest.raises(InterruptedRunError, match="runs resume"):
        run("demo", root=root, overrides=SHORT, on_event=stop_after(2))
    return root, Path(shutil.copytree(root, tmp_path_factory.mktemp("copy") / "stopped"))


@pytest.fixture
def root(stopped: tuple[Path, Path]) -> Path:
    """The stopped run as it was, at its own place: records name absolute paths."""
    place, copy = stopped
    shutil.rmtree(place)
    shutil.copytree(copy, place)
    return place


def test_a_stopped_run_ends_as_if_nobody_had_stopped_it(root: Path, whole: RunRecord) -> None:
    """Bit-identical LoRAs, all losses, one record over both parts."""
    (first,) = records(root)
    result = resume(first)
    check_same(result.record, whole)
    assert result.record.continued is not None
    assert (result.record.continued.run, result.record.continued.epoch) == (first.id, 2)


def test_it_can_be_stopped_and_go_on_twice(tmp_path: Path, whole: RunRecord) -> None:
    """Three parts, each of the epochs trained once."""
    for part in range(2):
        with pytest.raises(InterruptedRunError):
            if part == 0:
                run("demo", root=tmp_path, overrides=SHORT, on_event=stop_after(1))
            else:
                resume(records(tmp_path)[-1], on_event=stop_after(1))
    check_same(resume(records(tmp_path)[-1]).record, whole)


def test_after_a_kill_of_everything_the_command_line_goes_on(tmp_path: Path, whole: RunRecord) -> None:
    """SIGKILL of the wrapper (its guard ends the engine): `train --resume` goes on from the newest whole state."""
    sets = [word for override in SHORT for word in ("--set", override)]
    child = subprocess.Popen(
        [COMMAND, "train", "demo", *sets], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    for _ in iter(child.stdout.readline, ""):
        if list(tmp_path.glob("Loras/demo/runs/*/output/demo-000002-state")):
            break
    child.kill()
    child.wait()
    child.stdout.close()
    time.sleep(1.0)
    argv = [COMMAND, "train", "demo", *sets, "--resume"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = records(tmp_path)
    assert first.status == "crashed"
    check_same(second, whole)


def test_a_state_that_was_cut_short_is_not_taken(root: Path, whole: RunRecord) -> None:
    """The newest state lost half of a file: the one before it is used."""
    (first,) = records(root)
    newest = Path(first.folder) / "output/demo-000002-state/optimizer.bin"
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    result = resume(first)
    assert result.record.continued is not None
    assert result.record.continued.epoch == 1
    check_same(result.record, whole)


def test_without_a_whole_state_nothing_is_started(root: Path) -> None:
    """It is said, with what to do the next time."""
    (first,) = records(root)
    for state in Path(first.folder).glob("output/*-state"):
        shutil.rmtree(state)
    with pytest.raises(OutputError, match="save_state"):
        resume(first)
    assert len(records(root)) == 1


def test_a_preset_that_changed_is_refused_with_every_difference(root: Path) -> None:
    """What would be trained is no longer the same run."""
    planned = plan("demo", root=root, overrides=(*SHORT, "learning.unet_lr=1e-5", "structure.network_dim=2"))
    with pytest.raises(PresetError) as caught:
        resume(newest_run(planned), planned=planned)
    assert {problem.where for problem in caught.value.problems} == {"learning.unet_lr", "structure.network_dim"}


def test_what_a_state_holds_itself_is_refused_even_with_leave(root: Path) -> None:
    """Another rank would break it, another rate would change nothing; the schedule is free."""
    overrides = (*SHORT, "learning.unet_lr=1e-5", "structure.network_dim=2", "learning.lr_warmup_ratio=0.2")
    planned = plan("demo", root=root, overrides=overrides)
    with pytest.raises(PresetError, match="from this state") as caught:
        resume(newest_run(planned), planned=planned, changed=True)
    assert {problem.where for problem in caught.value.problems} == {"learning.unet_lr", "structure.network_dim"}


def test_pictures_that_changed_are_refused(root: Path) -> None:
    """A caption edited since the run began is named."""
    (first,) = records(root)
    (root / "Loras/demo/dataset/face-1.txt").write_text("another caption")
    with pytest.raises(DatasetError, match=r"face-1\.txt"):
        resume(first)


def test_a_run_that_came_to_its_end_has_nothing_to_resume(whole: RunRecord) -> None:
    """It is said how to train for longer."""
    with pytest.raises(KohyaWrapError, match="how_many"):
        resume(whole)
