"""Signals to the wrapper, to accelerate and to the trainer, in the middle of a run."""

import os
import pty
import signal
import threading
from contextlib import suppress

import pytest
from helpers_faults import AT_FAULT, WAIT, Broken, broken, send, wait_until

from kohya_wrap.record import read_record

__all__ = ["broken"]

STUBBORN = (
    WAIT
    + """
import signal
def started(settings):
    for each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, lambda *_: print('not yet', flush=True))
def before_step(step):
    if step == WHEN:
        reached()
        for _ in range(1200): time.sleep(0.1)
"""
)
"""A trainer that hears the signals and goes on."""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_to_the_wrapper_ends_everything(broken: Broken, signum: signal.Signals) -> None:
    """Ctrl-C, a scheduler's SIGTERM, a closed terminal: exit code 130, the first epoch's LoRA kept."""
    broken.fault(WAIT, at_step=6)
    with broken.training() as training:
        send(training.wrapper.pid, signum)
        ended = training.end()
    assert ended.code == 130
    assert "1 LoRA is kept" in ended.output
    assert (broken.record["status"], broken.record["error"]["exit_code"]) == ("interrupted", 130)
    assert [path.name for path in broken.published()] == ["demo-01.safetensors"]
    broken.check_afterwards(broken.published())


def test_a_terminal_that_is_closed_while_it_is_written_to(broken: Broken) -> None:
    """On a real terminal, with nobody left to tell: the exit code and the record are those of any other stop."""
    broken.fault(WAIT.replace("step == WHEN", "step >= 6").replace("time.sleep(120)", "time.sleep(0.2)"))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(broken.root)
        os.execve(broken.argv[0], broken.argv, broken.env)  # noqa: S606 - a fork with a terminal
    reader = threading.Thread(target=read_away, args=(terminal,), daemon=True)
    reader.start()
    wait_until((broken.home / AT_FAULT).exists, "the fault was never reached")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert (broken.record["status"], broken.record["error"]["exit_code"]) == ("interrupted", 130)
    broken.check_afterwards(broken.published())


def read_away(terminal: int) -> None:
    """Read what a terminal shows until it is closed."""
    with suppress(OSError):
        while os.read(terminal, 4096):
            continue


def test_three_interrupts_end_a_trainer_that_holds_on(broken: Broken) -> None:
    """Each further Ctrl-C skips a stage, so that the third kills; what was saved is kept all the same."""
    broken.fault(STUBBORN, at_step=6)
    with broken.training() as training:
        for count in (1, 2):
            send(training.wrapper.pid, signal.SIGINT)
            training.wait_for_log("not yet", count)
        send(training.wrapper.pid, signal.SIGINT)
        ended = training.end(seconds=15)
    assert ended.code == 130
    assert broken.record["status"] == "interrupted"
    assert [path.name for path in broken.published()] == ["demo-01.safetensors"]
    broken.check_afterwards(broken.published())


@pytest.mark.parametrize("whom", ["trainer", "launcher"])
def test_a_killed_engine_is_said(broken: Broken, whom: str) -> None:
    """SIGKILL of the trainer or of accelerate: exit code 28, nothing left of either, the first LoRA kept.

    The record names the last step although the losses were killed with the trainer.
    """
    broken.fault(WAIT, at_step=6)
    with broken.training() as training:
        send(getattr(training, whom), signal.SIGKILL)
        ended = training.end()
    assert ended.code == 28, ended.output
    assert "killed from outside (SIGKILL)" in ended.output
    assert broken.record["status"] == "failed"
    assert broken.record["counts"]["done_steps"] == 5
    assert [path.name for path in broken.published()] == ["demo-01.safetensors"]
    broken.check_afterwards(broken.published())


def test_a_killed_wrapper_takes_the_engine_along(broken: Broken) -> None:
    """SIGKILL of the wrapper: the record stays open on the disk and is read as crashed."""
    broken.fault(WAIT, at_step=6)
    with broken.training() as training:
        pids = (training.trainer, training.launcher)
        training.wrapper.kill()
        training.wrapper.wait()
        training.wait_for_end_of(pids)
    assert broken.record["status"] == "running"
    assert read_record(broken.run_folder / "run.json").status == "crashed"
    assert "crashed" in broken.command("runs", "list").output
    broken.check_afterwards()
