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


def test_as_many_come_as_start_within_the_time_ahead() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(200):
        estimates.note("a", 0.004)
    assert 5 <= estimates.limit() <= 6
    assert estimates.fitting(["a"] * 64) == 5


def test_more_of_very_short_jobs_share_a_commit_if_that_many_are_due() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(200):
        estimates.note("a", 0.001)
    assert estimates.limit() == 35
    assert estimates.fitting(["a"] * 35) == 35
    assert estimates.fitting(["a"] * 34) == 20, "the others are left to workers that may be idle"
    estimates.note("b", 0.003)
    assert estimates.fitting(["a"] * 34 + ["b"]) == 20


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


def test_a_run_that_had_to_wait_for_a_processor_doubles_an_estimate_at_most() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(100):
        estimates.note("a", 0.000_1)
    full = 0.02 / 0.000_1
    estimates.note("a", 0.015)
    assert full / 2 - 1 <= estimates.fitting(["a"] * 150) <= full / 2 + 1
    assert estimates.still_fitting(["a"] * 255) == 255, "nothing is released"
    assert estimates.limit() > 150


def test_a_type_that_has_become_slower_is_known_after_a_few_runs() -> None:
    estimates = Estimates(ahead_s=0.02)
    for _ in range(100):
        estimates.note("a", 0.000_1)
    for _ in range(12):
        estimates.note("a", 0.015)
    assert estimates.fitting(["a"] * 256) <= 3
    assert estimates.still_fitting(["a"] * 256) <= 5


def test_without_time_ahead_jobs_come_one_at_a_time() -> None:
    estimates = Estimates(ahead_s=0)
    for _ in range(100):
        estimates.note("a", 0.0)
    assert estimates.limit() == 1
    assert estimates.fitting(["a", "a"]) == 1


def test_with_several_places_one_job_for_each_and_short_ones_behind_them() -> None:
    estimates = Estimates(0.02)
    assert estimates.limit(4, 4) == 4
    assert estimates.fitting(["new"] * 9, 4, 4) == 4
    for _ in range(50):
        estimates.note("short", 0.005)
    assert 16 <= estimates.limit(4, 4) <= 20
    estimates.note("long", 1.0)
    assert estimates.is_short("short")
    assert not estimates.is_short("long")
    assert not estimates.is_short("new")
    assert estimates.fitting(["short"] * 99, 4, 4) == 16, "each place starts four in time"
    assert estimates.fitting(["long"] * 99, 4, 4) == 4
    assert estimates.fitting(["short"] * 3, 4, 4) == 3
