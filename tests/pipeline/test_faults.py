"""What else breaks a run: the GPU, memory, the loss, silence, floods, the clock, and other hands on the same folder."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from helpers_faults import EPOCHS, HOLD, WAIT, Broken, broken

from kohya_wrap import Event, run
from kohya_wrap.events import RunWarning

__all__ = ["broken"]

RAISING = """
class Error(RuntimeError): pass
Error.__module__, Error.__qualname__ = "torch", NAME
def before_step(step):
    if step == WHEN: raise Error(TEXT)
"""
OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.12 GiB is free. "
    "If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
)


def raising(name: str, text: str) -> str:
    """Give a fault that raises torch's error of that name."""
    return RAISING.replace("NAME", repr(name)).replace("TEXT", repr(text))


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: unspecified launch failure",
        "CUDA error: an illegal memory access was encountered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    ],
)
def test_a_lost_gpu_is_said(broken: Broken, text: str) -> None:
    """Exit code 20 with the driver's word, and the first LoRA is kept."""
    broken.fault(raising("AcceleratorError", text), at_step=6)
    ended = broken.train()
    assert ended.code == 20
    assert "the GPU reported an error" in ended.output
    assert broken.record["error"]["exit_code"] == 20
    assert [path.name for path in broken.published()] == ["demo-01.safetensors"]
    broken.check_afterwards(broken.published())


def test_gpu_memory_that_runs_out(broken: Broken) -> None:
    """Exit code 21 for torch's own words."""
    broken.fault(raising("OutOfMemoryError", OUT_OF_MEMORY), at_step=6)
    ended = broken.train()
    assert ended.code == 21
    assert "the GPU's memory ran out" in ended.output
    assert ended.output.index("train_batch_size = 1") < ended.output.index("gradient_checkpointing = true")
    broken.check_afterwards(broken.published())


NEEDS = """
def started(settings):
    if settings["train_batch_size"] > 1 or not settings.get("gradient_checkpointing"): raise MemoryError
"""


def test_stepping_down_until_it_fits(broken: Broken) -> None:
    """Each try is a run with its record: the first two fail, the third has both changes and says why."""
    broken.fault(NEEDS)
    ended = broken.train('engine.on_out_of_memory="step down"')
    assert ended.code == 0, ended.output
    records = [json.loads((folder / "run.json").read_text()) for folder in broken.run_folders]
    assert [record["status"] for record in records] == ["failed", "failed", "succeeded"]
    assert [record["error"]["exit_code"] for record in records[:2]] == [21, 21]
    changes = ["steps.train_batch_size=1", "engine.gradient_checkpointing=true"]
    assert records[2]["preset"]["overrides"][-2:] == changes
    assert records[2]["counts"]["planned_steps"] == 2 * records[0]["counts"]["planned_steps"]
    for change in changes:
        assert [text for text in records[2]["warnings"] if f"trying again with {change}" in text]
        assert f"trying again with {change}" in ended.output
    broken.check_afterwards(broken.published())


def test_stepping_down_has_an_end(broken: Broken) -> None:
    """Where nothing is left to change, the last error is raised."""
    broken.fault("def started(settings): raise MemoryError")
    smallest = ("steps.train_batch_size=1", "processing.resolution=64", "structure.network_dim=8")
    ended = broken.train(*smallest, 'engine.on_out_of_memory="step down"')
    assert ended.code == 21, ended.output
    assert len(broken.run_folders) == 3
    assert broken.record["preset"]["resolved"]["structure"]["network_alpha"] == 1
    broken.check_afterwards()


def test_main_memory_that_really_runs_out(broken: Broken) -> None:
    """Under a limit of 512 MiB the trainer asks for 4 GiB: exit code 21."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
    broken.fault(limit + "def before_step(step):\n    if step == 6: bytes(1 << 32)")
    ended = broken.train()
    assert ended.code == 21, ended.output
    assert "the machine's memory ran out" in ended.output
    broken.check_afterwards(broken.published())


def test_a_loss_that_is_no_number(broken: Broken) -> None:
    """The run is stopped at once with exit code 29."""
    broken.fault("loss = float('nan')")
    ended = broken.train()
    assert ended.code == 29
    assert broken.record["status"] == "failed"
    broken.check_afterwards()


def test_silence_is_said_once(broken: Broken) -> None:
    """A trainer that prints nothing for a second is warned about, goes on, and the record keeps the warning."""
    broken.fault("import time\ndef before_step(step):\n    if step in (6, 8): time.sleep(1.5)")
    ended = broken.train("engine.stall_minutes=0.01")
    assert ended.code == 0, ended.output
    assert ended.output.count("warning: the engine has printed nothing for 0.01 minutes") == 1
    assert [text for text in broken.record["warnings"] if "printed nothing" in text]
    broken.check_afterwards(broken.published())


def test_silence_can_end_a_run(broken: Broken) -> None:
    """With on_stall = "stop" the engine is stopped with exit code 32, and the first LoRA is kept."""
    broken.fault(WAIT, at_step=6)
    ended = broken.train("engine.stall_minutes=0.01", "engine.on_stall=stop")
    assert ended.code == 32, ended.output
    assert [path.name for path in broken.published()] == ["demo-01.safetensors"]
    broken.check_afterwards(broken.published())


def test_a_flood_of_output_is_logged_and_eats_no_memory(broken: Broken) -> None:
    """100 MB in lines of 1,000 bytes: every byte in the log, the wrapper under 300 MB, the run as ever."""
    flood = "def before_step(step):\n    if step == 6:\n        for _ in range(100_000): print('x' * 999)\n"
    broken.fault(flood + HOLD.replace("WHEN", "7").replace("def before_step", "def held") + "\ndef ending(): held(7)")
    with broken.training() as training:
        memory = psutil.Process(training.wrapper.pid).memory_info().rss
        training.go_on()
        ended = training.end()
    assert ended.code == 0, ended.output[-3000:]
    assert (broken.run_folder / "train.log").stat().st_size > 100_000_000
    assert len(ended.output) < 100_000
    assert memory < 300 << 20
    broken.check_afterwards(broken.published())


def test_a_clock_that_jumps_back_breaks_no_duration(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour is lost between start and end: the run took the seconds that it took."""
    times = iter(datetime.now(UTC) - timedelta(hours=number) for number in range(100))
    for module in ("record.build", "recording"):
        monkeypatch.setattr(f"kohya_wrap.{module}.now", lambda: next(times).isoformat(timespec="milliseconds"))
    monkeypatch.setenv("KOHYA_WRAP_HOME", str(broken.home / "cache"))
    record = run("demo", root=broken.root, overrides=broken.overrides).record
    assert record.ended < record.started
    assert 0 < record.seconds < 60
    broken.check_afterwards(broken.published())


def test_two_wrappers_on_one_project(broken: Broken) -> None:
    """The second is refused with exit code 14 and touches nothing; the first goes on to its end."""
    broken.fault(HOLD, at_step=6)
    with broken.training() as training:
        runs = sorted((broken.project / "runs").iterdir())
        second = broken.train()
        assert second.code == 14
        assert sorted((broken.project / "runs").iterdir()) == runs
        training.go_on()
        assert training.end().code == 0
    broken.check_afterwards(broken.published())


def test_a_run_folder_that_is_copied_meanwhile(broken: Broken) -> None:
    """The copy's record is whole, and neither it nor the copying disturbs the run."""
    broken.fault(HOLD, at_step=6)
    with broken.training() as training:
        copy = broken.root / "copy"
        shutil.copytree(broken.run_folder, copy)
        assert json.loads((copy / "run.json").read_text(encoding="utf-8"))["status"] == "running"
        training.go_on()
        assert training.end().code == 0
    assert len(broken.published()) == EPOCHS
    broken.check_afterwards(broken.published())


def test_a_dataset_that_changes_meanwhile_is_said(broken: Broken) -> None:
    """A caption rewritten and a picture removed: the run ends as it would, with a warning that names both."""
    assert broken.train().code == 0
    broken.fault(HOLD, at_step=6)
    with broken.training() as training:
        picture = min((broken.project / "dataset").glob("*.png"))
        caption = max((broken.project / "dataset").glob("*.txt"))
        kept = picture.read_bytes()
        picture.unlink()
        caption.write_text("other", encoding="utf-8")
        training.go_on()
        ended = training.end()
    assert ended.code == 0, ended.output
    (warning,) = [text for text in broken.record["warnings"] if "2 files of the dataset changed" in text]
    assert picture.name in warning
    assert caption.name in warning
    assert f"warning: {warning}" in ended.output
    picture.write_bytes(kept)
    broken.check_afterwards(broken.published())


def test_python_hears_of_it_too(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller of run() gets the warning as an event, and in the result's record."""
    monkeypatch.setenv("KOHYA_WRAP_HOME", str(broken.home / "cache"))
    broken.fault(
        "import pathlib\ndef ending():\n"
        f"    for each in pathlib.Path({str(broken.project)!r}).glob('dataset/*.txt'): each.write_text('other')"
    )
    events: list[Event] = []
    result = run("demo", root=broken.root, overrides=broken.overrides, on_event=events.append)
    (said,) = [event.text for event in events if isinstance(event, RunWarning)]
    assert "4 files of the dataset changed" in said
    assert said in result.record.warnings
