"""What becomes of a signal while the supervisor starts, and after it."""

import os
import select
import signal
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
