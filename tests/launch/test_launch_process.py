"""Commands that end by themselves: their output, their log, their environment, their outcome."""

import gc
import signal
import threading
import time
import warnings
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from helpers_launch import FAMILY, Lines, pid_from, plan_for, runs, wait_until

from kohya_wrap.errors import DiskFullError, EngineError, OutputError
from kohya_wrap.launch import LaunchPlan, Outcome
from kohya_wrap.launch.process import run_process

FLOOD = 100 * 1000 * 1000
"""Bytes."""


def run(source: str, folder: Path) -> tuple[Outcome, Lines]:
    lines = Lines()
    return run_process(plan_for(source, folder), on_line=lines.append, log=folder / "log"), lines


def test_both_streams_arrive_apart(tmp_path: Path) -> None:
    """What was printed and what was logged are told apart, each in its order."""
    _, lines = run("import sys\nfor i in range(3): print('out', i); print('err', i, file=sys.stderr)", tmp_path)
    assert lines.texts("stdout") == ["out 0", "out 1", "out 2"]
    assert lines.texts("stderr") == ["err 0", "err 1", "err 2"]


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_the_exit_code_comes_back(tmp_path: Path, code: int) -> None:
    """An outcome has the command's own exit code, and says that nobody stopped it."""
    outcome, _ = run(f"raise SystemExit({code})", tmp_path)
    assert (outcome.returncode, outcome.stopped) == (code, "")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_death_by_signal_is_a_negative_code(tmp_path: Path, signum: signal.Signals) -> None:
    """A command that was killed from outside is told from one that failed."""
    outcome, _ = run(f"import os; os.kill(os.getpid(), {int(signum)})", tmp_path)
    assert outcome.returncode == -signum


def test_a_bar_is_seen_while_it_stands(tmp_path: Path) -> None:
    """An update of a bar reaches the reader before the next one is printed."""
    source = "import sys, time\nfor i in range(3): sys.stderr.write(f'\\rsteps: {i}/3'); time.sleep(0.4)\nprint()"
    _, lines = run(source, tmp_path)
    seconds = {line.text: line.seconds for line in lines}
    assert lines.texts("stderr", transient=True)[:3] == ["steps: 0/3", "steps: 1/3", "steps: 2/3"]
    assert seconds["steps: 1/3"] - seconds["steps: 0/3"] < 0.8


def test_the_log_holds_every_byte_of_both_streams(tmp_path: Path) -> None:
    """The log has each stream's bytes unchanged, and no line of one is cut by the other."""
    source = "import sys\nfor i in range(200):\n print('o' * 50)\n sys.stderr.write('\\r' + 'e' * 50)"
    run(source, tmp_path)
    log = (tmp_path / "log").read_bytes()
    assert log.count(b"o" * 50 + b"\n") == 200
    assert log.count(b"e" * 50) == 200


def test_the_log_is_there_while_the_command_runs(tmp_path: Path) -> None:
    """Nothing is held back: a log can be read from the side, and is whole if all of this dies."""
    seen: list[bytes] = []
    source = "print('first')\nimport time; time.sleep(0.3)\nprint('second')"
    log = tmp_path / "log"
    run_process(plan_for(source, tmp_path), on_line=lambda _: seen.append(log.read_bytes()), log=log)
    assert seen[0] == b"first\n"


def test_a_flood_is_read_in_little_memory(tmp_path: Path) -> None:
    """100 MB of output are read, logged and handed on without being kept."""
    source = (
        "import sys\nblock = (b'x' * 99 + b'\\n') * 1000\n"
        f"for _ in range({FLOOD // 100_000}): sys.stdout.buffer.write(block)"
    )
    before = psutil.Process().memory_info().rss
    count = [0]
    peak = [0]

    def look(_: object) -> None:
        count[0] += 1
        if count[0] % 100_000 == 0:
            peak[0] = max(peak[0], psutil.Process().memory_info().rss)

    run_process(plan_for(source, tmp_path), on_line=look, log=tmp_path / "log")
    assert count[0] == FLOOD // 100
    assert (tmp_path / "log").stat().st_size == FLOOD
    assert peak[0] - before < 30_000_000


def test_a_flood_without_newlines_is_read_too(tmp_path: Path) -> None:
    """A line without an end neither stalls the command nor fills the memory."""
    outcome, lines = run("import sys\nfor _ in range(20): sys.stderr.buffer.write(b'x' * 1_000_000)", tmp_path)
    assert outcome.returncode == 0
    assert sum(map(len, lines.texts())) == 20_000_000
    assert max(map(len, lines.texts())) <= 1 << 16


def test_a_slow_reader_loses_nothing(tmp_path: Path) -> None:
    """The command waits for its reader; the reader is never overrun."""
    lines = Lines()

    def slowly(line: object) -> None:
        time.sleep(0.001)
        lines.append(line)  # type: ignore[arg-type]  # an OutputLine

    run_process(plan_for("for i in range(1000): print(i)", tmp_path), on_line=slowly, log=tmp_path / "log")
    assert lines.texts() == [str(i) for i in range(1000)]


def test_the_environment_is_exactly_the_plan_s(tmp_path: Path) -> None:
    """Nothing of this process's environment leaks into the command's."""
    plan = LaunchPlan(("/usr/bin/env",), {"ONLY": "this one", "AND": "that"}, tmp_path)
    lines = Lines()
    run_process(plan, on_line=lines.append, log=tmp_path / "log")
    assert sorted(lines.texts()) == ["AND=that", "ONLY=this one"]


def test_the_command_runs_in_its_folder_without_input(tmp_path: Path) -> None:
    """A command works where the plan says, and a question gets no answer instead of waiting for one."""
    _, lines = run("import os, sys; print(os.getcwd()); print(repr(sys.stdin.read()))", tmp_path)
    assert lines.texts() == [str(tmp_path), "''"]


def test_lines_come_in_the_caller_s_thread(tmp_path: Path) -> None:
    """A reader needs no locks."""
    threads: list[threading.Thread] = []
    plan = plan_for("print('x')", tmp_path)
    run_process(plan, on_line=lambda _: threads.append(threading.current_thread()), log=tmp_path / "log")
    assert threads == [threading.current_thread()]


def test_a_run_in_another_thread_works(tmp_path: Path) -> None:
    """Signals can be watched in the main thread only; elsewhere a run goes on without."""
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run("print('x')", tmp_path)[0]))
    thread.start()
    thread.join()
    assert [outcome.returncode for outcome in outcomes] == [0]


def test_a_helper_that_outlives_the_command_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that the command leaves behind is gone when the run is, and the outcome is the command's own."""
    monkeypatch.setattr("kohya_wrap.launch.process.LINGER", 0.5)
    source = f"{FAMILY}\nif os.fork() == 0:\n note('helper', os.getpid())\n time.sleep(60)"
    started = time.monotonic()
    outcome, _ = run(source, tmp_path)
    assert (outcome.returncode, outcome.stopped) == (0, "")
    assert not runs(pid_from(tmp_path / "helper"))
    assert time.monotonic() - started < 5


def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    """The end of the output is not the end of the command."""
    outcome, _ = run("import os, time\nos.close(1); os.close(2); time.sleep(0.5); os._exit(5)", tmp_path)
    assert outcome.returncode == 5
    assert outcome.seconds >= 0.5


def test_memory_of_the_whole_family_is_counted(tmp_path: Path) -> None:
    """The peak covers the command's children, where a training's memory is."""
    child = "import time; x = b'1' * 200_000_000; time.sleep(1.5)"
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    outcome, _ = run(source, tmp_path)
    assert outcome.peak_memory > 200_000_000


def test_a_command_that_is_not_there_is_an_engine_error(tmp_path: Path) -> None:
    """The message names the program, and nothing is left running."""
    plan = LaunchPlan((str(tmp_path / "nowhere"),), {}, tmp_path)
    with pytest.raises(EngineError, match="nowhere"):
        run_process(plan, on_line=print, log=tmp_path / "log")


def test_a_relative_folder_is_refused(tmp_path: Path) -> None:
    """What a command does must not depend on where the wrapper was started."""
    with pytest.raises(ValueError, match="absolute"):
        run_process(LaunchPlan(("/bin/true",), {}, Path("here")), on_line=print, log=tmp_path / "log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_stops_the_command(tmp_path: Path) -> None:
    """A run whose log cannot be written is stopped and says why."""
    source = f"{FAMILY}\nnote('leader', os.getpid())\nprint('x')\ntime.sleep(60)"
    with pytest.raises(DiskFullError, match="full"):
        run_process(plan_for(source, tmp_path), on_line=print, log=Path("/dev/full"))
    assert not runs(pid_from(tmp_path / "leader"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_leaves_no_pipe_open(tmp_path: Path) -> None:
    """What the command goes on printing has nowhere to go, and both pipes are let go of all the same."""
    source = "import time\nfor _ in range(1000): print('x' * 5000, flush=True); time.sleep(0.01)"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(DiskFullError):
            run_process(plan_for(source, tmp_path), on_line=print, log=Path("/dev/full"))
        gc.collect()
    assert [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)] == []


def test_a_log_in_a_missing_folder_fails_before_the_command_starts(tmp_path: Path) -> None:
    """Nothing is started that could not be logged."""
    plan = plan_for(f"{FAMILY}\nnote('leader', 1)", tmp_path)
    with pytest.raises(OutputError):
        run_process(plan, on_line=print, log=tmp_path / "none" / "log")
    assert not (tmp_path / "leader").exists()


def test_no_guard_is_left_after_a_run(tmp_path: Path) -> None:
    """The process that watches over the run ends with it."""
    before = set(psutil.Process().children())  # of other tests in this process
    run("print('x')", tmp_path)
    wait_until(lambda: set(psutil.Process().children()) <= before, "a child of the wrapper is left")


def test_silence_is_told_by_its_length(tmp_path: Path) -> None:
    """While nothing is printed the seconds grow; a line begins them anew; an exception there stops the command."""
    heard: list[float] = []

    def quiet(seconds: float) -> None:
        heard.append(seconds)
        if seconds > 1.0:
            raise TimeoutError

    source = "import time\ntime.sleep(0.6)\nprint('one', flush=True)\ntime.sleep(60)"
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        run_process(plan_for(source, tmp_path), on_line=lambda _: None, log=tmp_path / "log", on_quiet=quiet)
    assert time.monotonic() - started < 20
    falls = [after for before, after in pairwise(heard) if after < before]
    assert len(falls) == 1
    assert max(heard) > 1.0
