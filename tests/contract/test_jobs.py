"""Submitting, listing, cancelling and retrying."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.storage import JobCursor, Store
from tests.contract.conftest import End, LeaseSome, Submit


def test_a_submitted_job_is_read_back_whole(store: Store, clock) -> None:
    new = NewJob(
        "report",
        payload='{"big": 123456789012345678901234567890}',
        queue="reports",
        priority=7,
        delay_ms=1_500,
        max_retries=9,
        timeout_s=12.5,
        unique_key="daily",
        tags=("a", "b"),
    )
    submitted = store.jobs.submit(new)
    job = store.jobs.get(submitted.job.id)
    assert submitted.created and submitted.job == job
    assert (job.type, job.payload, job.queue, job.priority) == (
        "report",
        new.payload,
        "reports",
        7,
    )
    assert (job.max_retries, job.timeout_s, job.unique_key, job.tags) == (
        9,
        12.5,
        "daily",
        ("a", "b"),
    )
    assert (job.status, job.attempt, job.run_at_ms) == (Status.PENDING, 0, clock.wall + 1_500)


def test_an_unknown_job_is_not_found(store: Store) -> None:
    for call in (store.jobs.get, store.jobs.cancel, store.jobs.retry):
        with pytest.raises(NotFound, match="no job 99"):
            call(99)


def test_a_page_ends_before_its_texts_hold_too_many_bytes(store: Store, submit: Submit) -> None:
    text = "é" * 5_000
    jobs = [submit(payload=f'{{"text":"{text}"}}') for _ in range(6)][::-1]

    def page(most_bytes: int, limit: int, before_id: int | None = None) -> tuple[list[int], bool]:
        cursor = None if before_id is None else JobCursor(0, before_id)
        found = store.lists.page(JobFilter(), limit, cursor=cursor, most_bytes=most_bytes)
        return [job.id for job in found.jobs], found.next_cursor is not None

    assert page(25_000, 6) == (jobs[:2], True)
    assert page(25_000, 6, jobs[3]) == (jobs[4:], False)
    assert page(25_000, 1) == (jobs[:1], True)
    assert page(10, 6) == (jobs[:1], True)  # at least one
    assert page(10, 6, jobs[5]) == ([], False)
    assert page(2**40, 6) == (jobs, False)


def test_a_preview_has_the_first_characters_of_payload_and_result(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    submit(payload='{"text":"ééé"}')
    end(lease()[0])
    (whole,) = store.lists.page(JobFilter(), 5).jobs
    (preview,) = store.lists.page(JobFilter(), 5, preview_chars=11).jobs
    assert (preview.payload, preview.result) == ('{"text":"éé', (whole.result or "")[:11])
    assert replace(preview, payload=whole.payload, result=whole.result) == whole


def test_text_search_reads_payload_type_tags_and_error_and_takes_text_literally(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    percent = submit(payload='{"s": "100%_sure"}')
    submit(payload='{"s": "100 and sure"}')
    tagged = submit(tags=("invoice",))

    def found(q: str) -> list[int]:
        return [job.id for job in store.jobs.page(JobFilter(q=q), 50)]

    assert found("100%_sure") == [percent]
    assert found("invoice") == [tagged]
    end(lease()[0], Ending.FAILED)
    assert found("it broke") == [percent]
    assert found("nothing like it") == []


def test_cancelling_a_waiting_job_ends_it_at_once(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    job, at_once = store.jobs.cancel(job_id)
    assert at_once and job.status is Status.CANCELLED
    assert lease() == []
    with pytest.raises(TransitionRefused, match="cancelled"):
        store.jobs.cancel(job_id)


def test_a_job_that_is_cancelled_while_it_waits_has_no_start_but_its_attempts_have(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    backs_off, leased_ahead = submit(), submit()
    for held in lease(2):
        end(held, Ending.FAILED)
    clock.advance(600_000)
    store.jobs.cancel(backs_off)
    (not_entered,) = lease()
    store.jobs.cancel(leased_ahead)
    store.leases.release([not_entered])
    for job_id in (backs_off, leased_ahead):
        job, (attempt,) = store.jobs.get(job_id), store.jobs.attempts(job_id)
        assert (job.status, job.started_at_ms) == (Status.CANCELLED, None)
        assert (job.finished_at_ms, attempt.started_at_ms) == (clock.wall, clock.wall - 600_000)


def test_a_retry_gives_all_attempts_again_and_keeps_the_history(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    job_id = submit(max_retries=0)
    end(lease()[0], Ending.FAILED)
    assert store.jobs.get(job_id).status is Status.FAILED
    clock.advance(1_000)
    job = store.jobs.retry(job_id)
    assert (job.status, job.finished_at_ms, job.run_at_ms) == (Status.PENDING, None, clock.wall)
    (held,) = lease()
    assert (held.attempt, held.failures) == (2, 0)
    end(held)
    assert len(store.jobs.attempts(job_id)) == 2


def test_a_retry_forgets_what_was_spent_before(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id, other = submit(max_retries=1), submit(max_retries=1)
    for _ in range(3):
        lease(2)
        store.leases.free("life-1", None)
        clock.advance(60_000)
    spent = "SELECT failures, crashes, losses, cancel_requested, is_due FROM jobs ORDER BY id"
    assert store.jobs.get(other).status is Status.FAILED
    assert store._database.all(spent) == [(2, 2, 2, 0, 0)] * 2
    store.jobs.retry(job_id)
    assert store._database.all(spent) == [(0, 0, 0, 0, 1), (2, 2, 2, 0, 0)]


def test_a_retry_is_refused_while_another_job_holds_the_unique_key(
    store: Store, submit: Submit
) -> None:
    first = submit(unique_key="k")
    store.jobs.cancel(first)
    submit(unique_key="k")
    with pytest.raises(TransitionRefused, match="unique key"):
        store.jobs.retry(first)
