"""Which jobs a query means, and in which order: GET /jobs and the filter of POST /jobs/bulk."""

import re
from collections.abc import Collection

from msgspec.structs import replace

from orpheus.api.contract.queries import JobsQuery
from orpheus.api.contract.requests import BulkFilter
from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.job_filter import NOT_ENDED, JobFilter, filter_problems
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.durations import moment_ms
from orpheus.shared.errors import FieldProblem
from orpheus.shared.messages.queues import Why, WhyReason
from orpheus.shared.storage import JobOrder, Store

_JOBS = re.compile(r"\bjob (\d+)")
PAGE_S = 0.02
"""How long to look for the jobs of a page."""


def order_of(query: JobsQuery) -> JobOrder:
    """Return the order of a list."""
    has_times = query.since is not None or query.until is not None
    return JobOrder(query.sort or ("ended" if has_times else "newest"))


def listed(query: JobsQuery, now_ms: int, sight: Scope | None) -> JobFilter:
    """Return the filter of a list. Raises Refusal (422) if no job can match it."""
    wanted = _filter_of(query, now_ms, sight)
    problems = filter_problems(wanted)
    if query.sort == "ended" and wanted.status in LIVE and not wanted.by_end:
        detail = f"cannot be {wanted.status} with sort=ended: {NOT_ENDED}"
        problems.append(FieldProblem("/status", detail))
    if problems:
        raise refused_fields(problems)
    return wanted


def chosen(query: BulkFilter, now_ms: int, sight: Scope | None) -> JobFilter:
    """Return the `filter` of an action. Raises Refusal (422) if no job can match it."""
    wanted = _filter_of(query, now_ms, sight, None if query.ids is None else tuple(query.ids))
    problems = filter_problems(wanted)
    if problems:
        raise refused_fields([FieldProblem(f"/filter{p.pointer}", p.detail) for p in problems])
    return wanted


def hidden(store: Store, sight: Scope | None, job_ids: Collection[int]) -> set[int]:
    """Return the jobs that the caller may not see, or that are not there; none without `sight`."""
    if sight is None or not job_ids:
        return set()
    wanted = JobFilter(ids=tuple(job_ids), scope=sight)
    return {*job_ids}.difference(store.lists.ids(wanted, Status, max_id=max(job_ids)))


def why_within(store: Store, sight: Scope | None, why: Why) -> Why:
    """Return why a job does not run, without what is said of jobs that the caller may not see."""
    if sight is None:
        return why

    def within(reason: WhyReason) -> WhyReason:
        named = {int(number) for number in _JOBS.findall(f"{reason.text} {reason.by}")}
        if not hidden(store, sight, named):
            return reason
        text = f"{reason.code.replace('_', ' ')}, by a job that you may not see"
        return replace(reason, text=text, by=None)

    return replace(why, reasons=[within(reason) for reason in why.reasons])


def _filter_of(
    query: JobsQuery | BulkFilter,
    now_ms: int,
    sight: Scope | None,
    ids: tuple[int, ...] | None = None,
) -> JobFilter:
    queue_is_seen = sight is None or query.queue is None or sight.sees_queue(query.queue)
    type_is_seen = sight is None or query.type is None or sight.sees_type(query.type)
    if not (queue_is_seen and type_is_seen):
        ids = ()  # looking for it would take as long as there are such jobs
    return JobFilter(
        status=query.status,
        type=query.type,
        queue=query.queue,
        tag=query.tag,
        unique_key=query.unique_key,
        payload=query.payload,
        q=query.q,
        error=query.error,
        where=query.where,
        since_ms=moment_ms(query.since, now_ms),
        until_ms=moment_ms(query.until, now_ms),
        ids=ids,
        scope=sight,
    )
