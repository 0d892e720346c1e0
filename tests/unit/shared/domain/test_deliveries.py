"""Alerts have reached nobody since the last one of their rule that was delivered."""

import pytest

from orpheus.shared.domain.alerts import AlertRule, Occurrence, RuleState, Topic
from orpheus.shared.domain.deliveries import Delivery, Undelivered, undelivered, unsent
from orpheus.shared.domain.jobs import JobError, Status

NOW_MS = 1_000_000
AWAY = JobError("CallFailed", "chat.example: timed out\nmore")
RULE = AlertRule("ops", ("job.failed",), "notify", "{}", every_s=300.0)


def job(job_id: int, status: Status, rule: str = "ops") -> Delivery:
    error = None if status is Status.DONE else AWAY
    return Delivery(rule, job_id, NOW_MS - 100_000 + job_id * 1_000, status, error)


def test_what_was_tried_in_vain_before_a_delivery_is_over() -> None:
    jobs = [job(9, Status.DONE), job(8, Status.FAILED)]
    assert list(undelivered(jobs, NOW_MS)) == []


def test_all_since_the_last_delivery_are_told_together_and_each_rule_by_itself() -> None:
    jobs = [
        job(9, Status.PENDING), job(8, Status.FAILED, "late"), job(7, Status.FAILED),
        job(6, Status.DONE), job(5, Status.FAILED),
    ]  # fmt: skip
    assert list(undelivered(jobs, NOW_MS)) == [
        Undelivered("late", 92.0, 1, 8, True, "CallFailed: chat.example: timed out"),
        Undelivered("ops", 93.0, 2, 9, True, "CallFailed: chat.example: timed out"),
    ]


def test_one_that_is_still_tried_has_not_failed_for_good() -> None:
    (one,) = undelivered([job(9, Status.PENDING)], NOW_MS)
    assert not one.has_failed


@pytest.mark.parametrize(
    ("fired_ms", "held_at_ms", "since_s"),
    [(None, 940_000, 60.0), (600_000, 990_000, 100.0), (800_000, 990_000, None)],
)
def test_an_alert_that_is_due_and_has_no_job_is_told_but_not_one_that_is_held_back(
    fired_ms: int | None, held_at_ms: int, since_s: float | None
) -> None:
    held = Occurrence("job.failed", held_at_ms, Topic("job 7 failed"))
    found = unsent(RULE, RuleState(fired_ms=fired_ms, held_back=2, held=held), NOW_MS)
    is_certain = fired_ms is None
    expected = None if since_s is None else Undelivered("ops", since_s, 2, has_failed=is_certain)
    assert found == expected


def test_a_rule_of_which_nothing_is_due_is_not_told() -> None:
    assert unsent(RULE, RuleState(fired_ms=1), NOW_MS) is None
