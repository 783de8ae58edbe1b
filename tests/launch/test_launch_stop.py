"""Stop means stopped: by an exception, by signals, by the death of the wrapper; nothing is left."""

import os
import signal
import time
from pathlib import Path

import pytest
from helpers_launch import FAMILY, pid_from, plan_for, runs, wait_until, wrapper_around

from kohya_wrap.launch import OutputLine
from kohya_wrap.launch.process import run_process
from kohya_wrap.launch.signals import StopRequestedError

WAIT = "note('leader', os.getpid())\nprint('ready')\ntime.sleep(60)"
STUBBORN = """
signal.signal(signal.SIGINT, lambda *_: print('got interrupt'))
signal.signal(signal.SIGTERM, lambda *_: print('got terminate'))
note('leader', os.getpid())
print('ready')
while True: time.sleep(0.05)
"""


class EnoughError(Exception):
    """What a reader of lines raises."""


def fail_on_ready(line: OutputLine) -> None:
    if line.text == "ready":
        raise EnoughError


def stop_it(source: str, folder: Path, grace: tuple[float, float] = (5.0, 5.0)) -> str:
    """Run until "ready", stop by an exception, and give the log."""
    with pytest.raises(EnoughError):
        run_process(plan_for(FAMILY + source, folder), on_line=fail_on_ready, log=folder / "log", grace=grace)
    return (folder / "log").read_text()


def test_an_exception_of_the_reader_stops_the_command(tmp_path: Path) -> None:
    """A reader that sees a loss of nan has only to raise."""
    log = stop_it(WAIT, tmp_path)
    assert not runs(pid_from(tmp_path / "leader"))
    assert "KeyboardInterrupt" in log


def test_what_is_printed_while_stopping_is_logged(tmp_path: Path) -> None:
    """Last words are kept, though no reader hears them any more."""
    source = (
        "signal.signal(signal.SIGINT, lambda *_: (print('last words'), sys.exit()))\nprint('ready')\ntime.sleep(60)"
    )
    assert "last words" in stop_it(source, tmp_path)


def test_the_last_words_are_read_though_the_process_is_gone_first(tmp_path: Path) -> None:
    """What still stands in the pipe when the process has ended is logged to its end."""
    source = (
        "signal.signal(signal.SIGINT, lambda *_: (os.write(1, b'w' * 500_000 + b'end'), os._exit(0)))\n"
        "print('ready')\ntime.sleep(60)"
    )
    assert stop_it(source, tmp_path).endswith("wend")


def test_a_command_that_ignores_the_interrupt_is_terminated(tmp_path: Path) -> None:
    """The second stage comes when the first one's time is over."""
    source = f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{WAIT}"
    started = time.monotonic()
    stop_it(source, tmp_path, grace=(0.5, 5.0))
    assert not runs(pid_from(tmp_path / "leader"))
    assert 0.5 <= time.monotonic() - started < 5


def test_a_command_that_ignores_everything_is_killed(tmp_path: Path) -> None:
    """Each stage is tried in turn, and the last cannot be ignored."""
    log = stop_it(STUBBORN, tmp_path, grace=(0.5, 0.5))
    assert log.splitlines() == ["ready", "got interrupt", "got terminate"]
    assert not runs(pid_from(tmp_path / "leader"))


def test_grandchildren_are_stopped_with_their_parents(tmp_path: Path) -> None:
    """Data loader workers go with the training, also those that hold on."""
    source = """
if os.fork() == 0:
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        note('grandchild', os.getpid())
        time.sleep(60)
    note('child', os.getpid())
    time.sleep(60)
while not os.path.exists(FOLDER + '/grandchild'): time.sleep(0.01)
print('ready')
time.sleep(60)
"""
    stop_it(source, tmp_path, grace=(0.5, 5.0))
    assert not runs(pid_from(tmp_path / "child"))
    assert not runs(pid_from(tmp_path / "grandchild"))


def test_a_child_in_a_session_of_its_own_is_stopped_too(tmp_path: Path) -> None:
    """torch's elastic launcher gives each GPU's worker its own session; a signal to the group does not reach those."""
    source = """
if os.fork() == 0:
    os.setsid()
    note('stray', os.getpid())
    time.sleep(60)
while not os.path.exists(FOLDER + '/stray'): time.sleep(0.01)
print('ready')
time.sleep(60)
"""
    stop_it(source, tmp_path)
    assert not runs(pid_from(tmp_path / "stray"))


def test_a_full_pipe_does_not_hold_up_the_stopping(tmp_path: Path) -> None:
    """A command that prints without end while it is stopped is still read."""
    source = "print('ready')\nwhile True: print('x' * 10_000)"
    started = time.monotonic()
    stop_it(source, tmp_path)
    assert time.monotonic() - started < 5


def test_ctrl_c_stops_everything_and_says_how(tmp_path: Path) -> None:
    """One interrupt to the wrapper ends the command in the first stage."""
    with wrapper_around(WAIT, tmp_path) as wrapper:
        wrapper.send_signal(signal.SIGINT)
        said, _ = wrapper.communicate(timeout=20)
    assert said.splitlines()[-1] == f"stopped by {int(signal.SIGINT)} interrupt"
    assert not runs(pid_from(tmp_path / "leader"))


def test_further_ctrl_c_skip_to_the_next_stage(tmp_path: Path) -> None:
    """Who presses again need not wait: a long grace is cut short, up to the kill."""
    started = time.monotonic()
    with wrapper_around(STUBBORN, tmp_path, grace=60.0) as wrapper:
        wrapper.send_signal(signal.SIGINT)
        wait_until(lambda: "got interrupt" in (tmp_path / "log").read_text(), "the first stage never came")
        wrapper.send_signal(signal.SIGINT)
        wait_until(lambda: "got terminate" in (tmp_path / "log").read_text(), "the second stage never came")
        wrapper.send_signal(signal.SIGINT)
        said, _ = wrapper.communicate(timeout=20)
    assert said.splitlines()[-1] == f"stopped by {int(signal.SIGINT)} kill"
    assert not runs(pid_from(tmp_path / "leader"))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_to_stop_do_the_same(tmp_path: Path, signum: signal.Signals) -> None:
    """A closed terminal or a scheduler's SIGTERM leaves no training behind."""
    with wrapper_around(WAIT, tmp_path) as wrapper:
        wrapper.send_signal(signum)
        said, _ = wrapper.communicate(timeout=20)
    assert said.splitlines()[-1] == f"stopped by {int(signum)} interrupt"
    assert not runs(pid_from(tmp_path / "leader"))


def test_nohup_is_respected(tmp_path: Path) -> None:
    """A wrapper that was told to ignore the closing of its terminal goes on training."""
    source = "note('leader', os.getpid())\nprint('ready')\ntime.sleep(1)\nprint('done')"
    with wrapper_around(source, tmp_path, ignore=(int(signal.SIGHUP),)) as wrapper:
        wrapper.send_signal(signal.SIGHUP)
        said, _ = wrapper.communicate(timeout=20)
    assert said.splitlines() == ["done"]


def test_a_killed_wrapper_takes_its_training_along(tmp_path: Path) -> None:
    """A SIGKILL cannot be caught; the guard beside the wrapper ends the group all the same."""
    source = """
if os.fork() == 0:
    note('child', os.getpid())
    time.sleep(60)
note('leader', os.getpid())
while not os.path.exists(FOLDER + '/child'): time.sleep(0.01)
print('ready')
time.sleep(60)
"""
    with wrapper_around(source, tmp_path) as wrapper:
        wrapper.kill()
        wait_until(lambda: not runs(pid_from(tmp_path / "leader")), "the leader goes on")
        wait_until(lambda: not runs(pid_from(tmp_path / "child")), "the child goes on")


def test_a_hanging_reader_can_be_left(tmp_path: Path) -> None:
    """The first signal waits for the reader to come back; the second does not."""

    def hang(_: OutputLine) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    started = time.monotonic()
    plan = plan_for(FAMILY + WAIT, tmp_path)
    with pytest.raises(StopRequestedError) as caught:
        run_process(plan, on_line=hang, log=tmp_path / "log")
    assert caught.value.outcome is not None
    assert caught.value.outcome.stopped == "interrupt"
    assert time.monotonic() - started < 10


def test_handlers_are_given_back(tmp_path: Path) -> None:
    """After a run, signals do what they did before it."""
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    stop_it(WAIT, tmp_path)
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
