"""What follows each ending of an attempt."""

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.lifecycle import (
    ENDINGS,
    LIVE,
    TERMINAL,
    TRANSITIONS,
    Ending,
    RunTimes,
    Spent,
    Verb,
    after,
)

FRESH = Spent(failures=0, crashes=0, max_retries=3, cancel_requested=False)
SPENDING = {
    Ending.FAILED,
    Ending.FAILED_PERMANENTLY,
    Ending.TIMED_OUT,
    Ending.CRASHED,
    Ending.KILLED_AT_DEADLINE,
    Ending.EXPIRED,
}


def test_every_ending_has_a_rule() -> None:
    assert set(ENDINGS) == set(Ending)


def test_only_failures_timeouts_crashes_and_expiry_spend_a_retry() -> None:
    assert {ending for ending, rule in ENDINGS.items() if rule.spends_retry} == SPENDING
    crashes = {Ending.CRASHED, Ending.CRASHED_TOGETHER, Ending.EXPIRED}
    assert {ending for ending, rule in ENDINGS.items() if rule.is_crash} == crashes


def test_no_transition_but_a_retry_leaves_a_terminal_status() -> None:
    leaving = {verb for verb, one in TRANSITIONS.items() if one.leaves & TERMINAL}
    assert leaving == {Verb.RETRY}
    assert TRANSITIONS[Verb.RETRY].leaves == {Status.FAILED, Status.CANCELLED}


def test_what_a_worker_does_to_a_leased_job_needs_its_token() -> None:
    needing = {verb for verb, one in TRANSITIONS.items() if one.needs_token}
    assert needing == {Verb.FINISH, Verb.RELEASE, Verb.RECLAIM}


@pytest.mark.parametrize(
    ("run", "times"),
    [
        (RunTimes(400, 100), (10_100, 10_400)),
        (RunTimes(600, 501), (10_000, 10_000)),  # rounded: it cannot have begun before the lease
        (RunTimes(1_499, 100), (10_000, 10_400)),
        (RunTimes(1_500, 600), (9_000, 9_900)),  # the clock was set back by a second
    ],
)
def test_a_run_is_within_its_lease_unless_the_clock_was_set_back(
    run: RunTimes, times: tuple[int, int]
) -> None:
    assert run.times_ms(leased_ms=10_000, now_ms=10_500) == times


def test_live_and_terminal_are_all_statuses() -> None:
    assert set(Status) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


@pytest.mark.parametrize("ending", sorted(SPENDING - {Ending.FAILED_PERMANENTLY}))
def test_retries_are_counted_right(ending: Ending) -> None:
    spent, attempts = FRESH, 0
    while True:
        attempts += 1
        follows = after(ending, spent)
        if follows.status is Status.FAILED:
            break
        spent = Spent(follows.failures, follows.crashes, spent.max_retries, False)
    assert attempts == spent.max_retries + 1
    assert follows.event is Kind.JOB_FAILED


def test_no_retries_means_one_attempt() -> None:
    assert after(Ending.FAILED, Spent(0, 0, 0, False)).status is Status.FAILED


def test_a_failure_waits_by_the_failures_spent() -> None:
    assert after(Ending.FAILED, Spent(2, 0, 3, False)).backoff_failures == 3


def test_the_first_crash_reruns_at_once_and_later_ones_wait() -> None:
    first = after(Ending.CRASHED, FRESH)
    second = after(Ending.CRASHED, Spent(first.failures, first.crashes, 3, False))
    assert (first.backoff_failures, second.backoff_failures) == (0, 2)


def test_a_lost_result_runs_again_at_once_and_for_free() -> None:
    follows = after(Ending.RESULT_LOST, Spent(3, 0, 3, False))
    assert (follows.status, follows.failures, follows.backoff_failures) == (Status.PENDING, 3, 0)
    assert follows.outcome is Outcome.LOST


@pytest.mark.parametrize("ending", [Ending.RESULT_LOST, Ending.REBOOTED])
def test_from_the_second_in_a_row_on_a_loss_spends_a_retry_and_waits(ending: Ending) -> None:
    spent, waits = FRESH, []
    while True:
        follows = after(ending, spent)
        if follows.status is Status.FAILED:
            break
        waits.append(follows.backoff_failures)
        spent = Spent(follows.failures, follows.crashes, 3, False, follows.losses)
    assert waits == [0, 1, 2, 3]
    assert (follows.failures, follows.outcome) == (4, Outcome.LOST)


def test_another_outcome_between_two_losses_makes_the_second_free() -> None:
    lost = after(Ending.RESULT_LOST, FRESH)
    spent = Spent(lost.failures, lost.crashes, 3, False, lost.losses)
    assert after(Ending.UNENTERED, spent).losses == 1
    assert after(Ending.EXPIRED, spent).losses == 2
    assert after(Ending.SNOOZED, spent).losses == after(Ending.CRASHED, spent).losses == 0


def test_without_retries_a_job_that_has_run_is_not_run_again() -> None:
    spent = Spent(0, 0, max_retries=0, cancel_requested=False)
    assert after(Ending.RESULT_LOST, spent).status is Status.FAILED
    for ending in (Ending.REBOOTED, Ending.UNENTERED, Ending.RELEASED):  # it may never have run
        assert after(ending, spent).status is Status.PENDING


@pytest.mark.parametrize("ending", [e for e in Ending if ENDINGS[e].goes_to is Status.PENDING])
def test_nothing_goes_back_to_pending_once_a_cancel_was_requested(ending: Ending) -> None:
    follows = after(ending, Spent(0, 0, 3, cancel_requested=True))
    assert (follows.status, follows.event) == (Status.CANCELLED, Kind.JOB_CANCELLED)
    assert follows.backoff_failures == 0


def test_success_wins_over_a_cancel() -> None:
    assert after(Ending.SUCCEEDED, Spent(0, 0, 3, cancel_requested=True)).status is Status.DONE


@pytest.mark.parametrize("ending", Ending)
def test_what_follows_is_allowed_by_the_transition_table(ending: Ending) -> None:
    allowed = {
        (status, event)
        for verb in (Verb.FINISH, Verb.RELEASE, Verb.RECLAIM)
        for status in TRANSITIONS[verb].enters
        for event in TRANSITIONS[verb].events
    }
    for cancel_requested in (False, True):
        for failures in (0, 3):
            follows = after(ending, Spent(failures, 0, 3, cancel_requested))
            assert (follows.status, follows.event) in allowed


def test_a_crash_among_others_spends_a_retry_from_the_second_crash_on() -> None:
    first = after(Ending.CRASHED_TOGETHER, FRESH)
    assert (first.status, first.outcome) == (Status.PENDING, Outcome.CRASHED)
    assert (first.failures, first.crashes, first.backoff_failures) == (0, 1, 0)
    for ending in (Ending.CRASHED_TOGETHER, Ending.CRASHED):
        second = after(ending, Spent(first.failures, first.crashes, 3, False))
        assert (second.failures, second.crashes, second.backoff_failures) == (1, 2, 1)


def test_a_crash_among_others_ends_a_job_that_must_not_run_twice() -> None:
    first = after(Ending.CRASHED_TOGETHER, Spent(0, 0, 0, False))
    assert (first.status, first.failures) == (Status.FAILED, 1)
