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


def test_no_transition_but_a_retry_leaves_a_terminal_status() -> None:
    leaving = {verb for verb, one in TRANSITIONS.items() if one.leaves & TERMINAL}
    assert leaving == {Verb.RETRY}
    assert TRANSITIONS[Verb.RETRY].leaves == {Status.FAILED, Status.CANCELLED}


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


@pytest.mark.parametrize("ending", [e for e in Ending if ENDINGS[e].goes_to is Status.PENDING])
def test_nothing_goes_back_to_pending_once_a_cancel_was_requested(ending: Ending) -> None:
    follows = after(ending, Spent(0, 0, 3, cancel_requested=True))
    assert (follows.status, follows.event) == (Status.CANCELLED, Kind.JOB_CANCELLED)


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
