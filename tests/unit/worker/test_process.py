"""What a worker says of the system that it runs on, and how it replaces itself."""

import os
import signal

import pytest

from orpheus.worker import process


def test_the_timer_of_a_job_does_not_outlive_the_process_that_handles_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is kept over exec, and would kill the next process, which has no handler yet."""
    timers: list[tuple[float, float]] = []
    execv = lambda *_: timers.append(signal.getitimer(signal.ITIMER_REAL))  # noqa: E731
    monkeypatch.setattr(os, "execv", execv)
    signal.setitimer(signal.ITIMER_REAL, 100.0)
    try:
        process.restart_alone()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert timers == [(0.0, 0.0)]
