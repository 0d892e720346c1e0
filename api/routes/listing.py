"""Which jobs a query means, and in which order: GET /jobs and the filter of POST /jobs/bulk."""

from orpheus.api.contract.queries import AuditQuery, JobsQuery, moment_ms
from orpheus.api.contract.requests import BulkFilter
from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.errors import FieldProblem
from orpheus.shared.storage import JobFilter, JobOrder

PAGE_S = 0.02
"""How long a page of a list is looked for."""


def order_of(query: JobsQuery) -> JobOrder:
    """Return the order of a list."""
    has_times = query.since is not None or query.until is not None
    return JobOrder(query.sort or ("ended" if has_times else "newest"))


def span_of(
    query: JobsQuery | BulkFilter | AuditQuery, now_ms: int
) -> tuple[int | None, int | None, list[FieldProblem]]:
    """Return the times `since` and `until`, and what is wrong with them."""
    since, until = moment_ms(query.since, now_ms), moment_ms(query.until, now_ms)
    is_empty = since is not None and until is not None and since >= until
    problems = [FieldProblem("/until", "must be later than since")] if is_empty else []
    return since, until, problems


def filter_of(query: JobsQuery | BulkFilter, now_ms: int) -> JobFilter:
    """Return a filter. Raises Refusal (422) for one that no job can match."""
    since, until, problems = span_of(query, now_ms)
    if query.where is not None and query.error is None:
        problems.append(FieldProblem("/where", "needs error: only what has failed has a place"))
    by_end = isinstance(query, JobsQuery) and query.sort == "ended"
    if query.status in LIVE and (by_end or since is not None or until is not None):
        detail = f"a job that is {query.status} has not ended: no since, until or sort=ended fits"
        problems.append(FieldProblem("/status", detail))
    if problems:
        raise refused_fields(problems)
    ids = query.ids if isinstance(query, BulkFilter) else None
    return JobFilter(
        query.status,
        query.type,
        query.queue,
        query.tag,
        query.q,
        query.error,
        query.where,
        since,
        until,
        None if ids is None else tuple(ids),
    )
