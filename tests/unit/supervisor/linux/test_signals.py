"""What becomes of a signal while the supervisor starts, and after it."""

import os
import select
import signal
import sys
from collections.abc import Iterator

import pytest

from orpheus.supervisor.linux import signals as module
from orpheus.supervisor.linux.signals import HANDLED, Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    signals = Signals()
    yield signals
    signals.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_what_asks_for_a_reload_during_the_start_is_done_after_it(signals: Signals) -> None:
    for number in (signal.SIGHUP, signal.SIGUSR2):
        os.kill(os.getpid(), number)
    signals.take_over()
    os.kill(os.getpid(), signal.SIGTERM)
    assert select.select([signals], [], [], 0)[0] == [signals]
    assert signals.take() == [signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM]
    assert signals.take() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_stop_ends_the_start_once(
    signals: Signals, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP is one if the terminal is gone."""
    monkeypatch.setattr(signals, "_had_terminal", True)
    monkeypatch.setattr(module, "has_terminal", lambda: False)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        os.kill(os.getpid(), again)


def test_signals_that_arrive_with_one_to_stop_write_no_traceback(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python handles them in the order of their numbers: SIGINT, SIGUSR2, SIGTERM."""
    written: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", written.append)
    together = (signal.SIGINT, signal.SIGUSR2, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, together)
    for number in together:
        signal.raise_signal(number)  # for this thread: another does not hold it
    with pytest.raises(KeyboardInterrupt):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, together)
    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # handles what has arrived, as every system call
    assert not written
