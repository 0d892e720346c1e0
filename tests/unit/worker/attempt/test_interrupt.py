"""What is raised in the thread of a job, and that it never comes after the job's end."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.job_types.context import JobCancelled, JobTimeout
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.interrupt import Interrupt

ROUNDS = 300


@pytest.fixture
def attempt(make_lease: Callable[..., Lease]) -> RunningAttempt:
    return RunningAttempt(make_lease(), 0.0)


@pytest.fixture
def interrupt() -> Interrupt:
    return Interrupt()


@contextlib.contextmanager
def watched(interrupt: Interrupt, now_s: Callable[[], float]) -> Iterator[None]:
    """Another thread looks all the time."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            interrupt.look(now_s())
            time.sleep(0.0001)

    thread = threading.Thread(target=watch)
    try:
        thread.start()
        yield
    finally:
        over.set()
        thread.join()


def wait() -> None:
    """Until something is raised."""
    while True:
        time.sleep(0.001)


def test_past_the_deadline_a_timeout_is_raised(
    interrupt: Interrupt, attempt: RunningAttempt
) -> None:
    interrupt.begin(attempt)
    interrupt.arm(0.0, 5.0)
    interrupt.look(4.9)
    with pytest.raises(JobTimeout), watched(interrupt, lambda: 5.0):
        wait()
    interrupt.disarm()
    assert interrupt.has_raised
    assert interrupt.was_used


def test_a_cancel_is_raised_when_the_handler_has_not_stopped_within_a_second(
    interrupt: Interrupt, attempt: RunningAttempt
) -> None:
    interrupt.begin(attempt)
    interrupt.arm(0.0, 60.0)
    attempt.request_cancel(3.0)
    interrupt.look(3.9)
    with pytest.raises(JobCancelled), watched(interrupt, lambda: 4.0):
        wait()
    interrupt.disarm()
    assert not interrupt.has_raised, "it was no timeout"
    assert interrupt.was_used


def test_it_is_raised_once(interrupt: Interrupt, attempt: RunningAttempt) -> None:
    interrupt.begin(attempt)
    interrupt.arm(0.0, 1.0)
    caught = 0
    try:
        with watched(interrupt, lambda: 2.0):
            try:
                wait()
            except JobTimeout:
                caught += 1
            for _ in range(20):
                time.sleep(0.001)
    except JobTimeout:  # while the watch was started
        caught += 1
    interrupt.disarm()
    assert caught == 1


def test_what_comes_while_c_code_runs_is_raised_when_it_returns(
    interrupt: Interrupt, attempt: RunningAttempt
) -> None:
    interrupt.begin(attempt)

    def run() -> None:
        interrupt.arm(time.monotonic(), 0.02)
        try:
            time.sleep(0.1)
        finally:
            interrupt.disarm()

    with pytest.raises(JobTimeout), watched(interrupt, time.monotonic):
        run()


def test_nothing_is_raised_before_it_is_armed_or_after_it_is_disarmed(
    interrupt: Interrupt, attempt: RunningAttempt
) -> None:
    interrupt.look(99.0)
    interrupt.begin(attempt)
    interrupt.look(99.0)
    interrupt.arm(0.0, 1.0)
    interrupt.disarm()
    interrupt.disarm()
    with watched(interrupt, lambda: 99.0):
        for _ in range(20):
            time.sleep(0.001)
    assert not interrupt.was_used


def test_at_the_moment_of_the_end_it_is_raised_before_disarm_returns_or_never(
    interrupt: Interrupt, attempt: RunningAttempt
) -> None:
    def run() -> None:
        """The code of a job. Its loop stands in a function: see the module of Interrupt."""
        end_s = time.monotonic() + 0.0003
        while time.monotonic() < end_s:
            pass

    rounds = caught = 0
    with watched(interrupt, time.monotonic):
        while rounds < ROUNDS or not caught:  # on a busy machine the watch seldom runs in time
            rounds += 1
            try:
                interrupt.begin(attempt)
                try:
                    interrupt.arm(time.monotonic(), 0.0003)
                    run()
                finally:
                    interrupt.disarm()
            except JobTimeout:
                caught += 1
                interrupt.disarm()
            for _ in range(50):  # outside: anything raised here fails the test
                pass
