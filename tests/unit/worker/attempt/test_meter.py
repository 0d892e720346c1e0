"""What an attempt costs, told apart from what ran before it."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.worker.attempt import meter as meters
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.meter import Meter

MEASURED_S = 0.02
"""Long enough for the peak to be read."""
MIB = 2**20

Measure = Callable[[Callable[[], object]], Finished]


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def measure(meter: Meter, make_lease: Callable[..., Lease]) -> Measure:
    def run(code: Callable[[], object]) -> Finished:
        attempt = RunningAttempt(make_lease(), time.monotonic())
        meter.begin(attempt.started_at_s)
        code()
        return meter.end(attempt, Finished(attempt.lease, Ending.SUCCEEDED, "null"))

    return run


def spin(cpu_s: float = MEASURED_S) -> None:
    until_s = time.process_time() + cpu_s
    while time.process_time() < until_s:
        pass


def allocate(mib: int) -> None:
    taken = b"x" * (mib * MIB)
    spin()
    del taken


def test_time_that_an_attempt_only_waits_costs_nothing(measure: Measure) -> None:
    spun, waited = measure(lambda: spin(0.1)), measure(lambda: time.sleep(0.1))
    assert spun.cpu_s is not None and waited.cpu_s is not None
    assert spun.cpu_s >= 0.1
    assert waited.cpu_s < 0.05


def test_programs_that_an_attempt_waited_for_count(measure: Measure) -> None:
    program = "import time\nwhile time.process_time() < 0.2: pass"
    ended = measure(lambda: subprocess.run([sys.executable, "-c", program], check=True))
    assert ended.cpu_s is not None and ended.cpu_s >= 0.2


def test_the_peak_is_that_of_the_attempt_and_not_of_one_before(measure: Measure) -> None:
    small, large, after = (measure(partial(allocate, mib)) for mib in (1, 120, 1))
    assert small.max_rss_bytes and large.max_rss_bytes and after.max_rss_bytes
    assert large.max_rss_bytes >= small.max_rss_bytes + 100 * MIB
    assert after.max_rss_bytes < large.max_rss_bytes - 50 * MIB


def test_short_attempts_share_a_look_and_only_the_first_has_costs(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_SHORT_S", 60.0)
    monkeypatch.setattr(meters, "_MEMORY_FROM_S", 60.0)  # a busy machine makes any attempt longer
    ended = [measure(lambda: None) for _ in range(3)]
    assert [one.cpu_s is None for one in ended] == [False, True, True]
    assert [one.max_rss_bytes for one in ended] == [None] * 3


def test_the_peak_of_a_program_is_told_however_short_it_ran(
    meter: Meter, make_lease: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_MEMORY_FROM_S", 60.0)
    attempt = RunningAttempt(make_lease(), time.monotonic())
    meter.begin(attempt.started_at_s)
    attempt.program_peak_kib = 1 << 30
    ended = meter.end(attempt, Finished(attempt.lease, Ending.SUCCEEDED, "null"))
    assert ended.max_rss_bytes == 1 << 40
