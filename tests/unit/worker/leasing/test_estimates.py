"""How many jobs a worker leases ahead."""

from orpheus.worker.leasing.estimates import Estimates


def test_the_first_job_of_all_comes_alone() -> None:
    estimates = Estimates(ahead_s=0.02)
    assert estimates.limit() == 1
    assert estimates.fitting(["a", "a"]) == 1


def test_short_jobs_come_in_full_batches() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(100):
        estimates.note("a", 0.000_01)
    assert estimates.limit() == 256
    assert estimates.fitting(["a"] * 256) == 256


def test_as_many_come_as_end_within_the_time_ahead() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(200):
        estimates.note("a", 0.004)
    assert 4 <= estimates.limit() <= 5
    assert 4 <= estimates.fitting(["a"] * 64) <= 5


def test_nothing_is_kept_behind_a_type_not_seen_before_nor_that_behind_another() -> None:
    estimates = Estimates(ahead_s=0.02)
    estimates.note("known", 0.001)
    assert estimates.fitting(["new", "known"]) == 1
    assert estimates.fitting(["known", "new", "known"]) == 1
    assert estimates.fitting(["known", "known", "new"]) == 2


def test_a_long_type_is_not_leased_with_others_but_a_short_one_is() -> None:
    estimates = Estimates(ahead_s=0.02)
    estimates.note("long", 1.0)
    estimates.note("short", 0.001)
    assert estimates.fitting(["long", "short"]) == 1
    assert estimates.fitting(["short", "short", "long"]) == 2


def test_one_slow_run_counts_at_once_and_is_forgotten_slowly() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(100):
        estimates.note("a", 0.000_1)
    estimates.note("a", 1.0)
    assert estimates.limit() == 1
    assert estimates.fitting(["a", "a"]) == 1
    for _ in range(100):
        estimates.note("a", 0.000_1)
    assert estimates.limit() > 32


def test_without_time_ahead_jobs_come_one_at_a_time() -> None:
    estimates = Estimates(ahead_s=0)
    for _ in range(100):
        estimates.note("a", 0.0)
    assert estimates.limit() == 1
    assert estimates.fitting(["a", "a"]) == 1


def test_nothing_fits_into_nothing() -> None:
    assert Estimates(ahead_s=0.02).fitting([]) == 0
