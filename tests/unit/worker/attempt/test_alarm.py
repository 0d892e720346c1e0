"""The alarm of the soft timeout, in a process whose jobs may use SIGALRM too."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from orpheus.shared.job_types.context import JobTimeout
from orpheus.worker.attempt.alarm import Alarm

ENDS_WITH_A_DISARMED_ALARM = """
import atexit, signal, time
from orpheus.worker.attempt.alarm import Alarm

atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL)[0]))  # runs last
alarm = Alarm()
alarm.arm(time.monotonic(), 60)
alarm.disarm()
assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
"""


def test_a_timer_that_was_disarmed_does_not_kill_a_worker_that_exits() -> None:
    """Python gives SIGALRM its default action back while it exits: to kill the process."""
    run = subprocess.run(
        [sys.executable, "-c", ENDS_WITH_A_DISARMED_ALARM],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "0.0\n", "")


def end_the_timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def leave_a_later_timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 60)


def leave_a_timer_that_repeats() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.01, 60)


def ignore_the_signal() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def leave_a_handler() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)


@pytest.mark.parametrize(
    "use",
    [
        end_the_timer,
        leave_a_later_timer,
        leave_a_timer_that_repeats,
        ignore_the_signal,
        leave_a_handler,
    ],
)
@pytest.mark.parametrize("timeout_s", [0.3, 30.0], ids=["is past", "is to come"])
def test_a_job_that_uses_the_alarm_leaves_later_jobs_their_timeouts(
    alarm: Alarm, use: Callable[[], None], timeout_s: float
) -> None:
    """Libraries for timeouts do so. `timeout_s`: of the job that does."""
    alarm.arm(time.monotonic(), timeout_s)
    use()
    alarm.disarm()
    time.sleep(0.31)
    alarm.arm(time.monotonic(), 0.1)
    with pytest.raises(JobTimeout):
        time.sleep(10)


@pytest.mark.parametrize("use", [end_the_timer, ignore_the_signal, leave_a_handler])
def test_a_job_that_begins_at_once_after_it_has_its_timeout(
    alarm: Alarm, use: Callable[[], None]
) -> None:
    """Jobs that take less than a millisecond, one after the other."""
    now_s = time.monotonic()
    alarm.arm(now_s, 1.0)
    use()
    alarm.disarm()
    alarm.arm(now_s, 1.0)
    with pytest.raises(JobTimeout):
        time.sleep(10)


def test_jobs_that_do_not_use_the_alarm_cost_no_timer_each(
    alarm: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[float] = []
    monkeypatch.setattr(signal, "setitimer", lambda _which, after_s: timers.append(after_s))
    monkeypatch.setattr(signal, "getitimer", lambda _which: (59.9 if timers else 0.0, 0.0))
    now_s = time.monotonic()
    for number in range(1000):
        alarm.arm(now_s + number / 1e4, 60)
        alarm.disarm()
    assert timers == [60]
