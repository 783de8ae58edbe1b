"""Signals around a launch, where no process is there to be stopped."""

import os
import signal
import threading

import pytest

from kohya_wrap.launch.signals import SignalCounter, StopRequestedError, raise_on_stop_signals


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_stop_is_an_exception_inside(signum: signal.Signals) -> None:
    """A download that is told to stop unwinds as after Ctrl-C."""
    with pytest.raises(StopRequestedError) as caught, raise_on_stop_signals():
        os.kill(os.getpid(), signum)
        signal.pause()
    assert caught.value.signum == signum
    assert isinstance(caught.value, KeyboardInterrupt)


def test_afterwards_signals_are_as_before() -> None:
    """The block leaves no handler behind, also when it is left by an exception."""
    with pytest.raises(ZeroDivisionError), raise_on_stop_signals():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_program_s_own_handler_is_left_alone() -> None:
    """An application that handles SIGTERM itself goes on doing so."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda signum, _: heard.append(signum))
    try:
        with raise_on_stop_signals():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_other_threads_change_nothing() -> None:
    """Only the main thread can have handlers; elsewhere the block just runs."""
    ran: list[bool] = []

    def elsewhere() -> None:
        with raise_on_stop_signals(), SignalCounter() as counter:
            ran.append(counter.count == 0)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert ran == [True]


def test_one_signal_is_counted_and_nothing_is_raised() -> None:
    """The loop that counts looks when it is ready."""
    with SignalCounter() as counter:
        os.kill(os.getpid(), signal.SIGINT)
        counted = (counter.count, counter.signum)
    assert counted == (1, signal.SIGINT)


def test_a_served_signal_never_raises() -> None:
    """While things are being stopped, further signals are only counted."""
    with SignalCounter() as counter:
        os.kill(os.getpid(), signal.SIGINT)
        counter.served = True
        os.kill(os.getpid(), signal.SIGINT)
        counted = counter.count
    assert counted == 2
