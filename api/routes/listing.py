"""Which jobs a query means: GET /jobs and the filter of POST /jobs/bulk."""

from orpheus.api.contract.queries import JobsQuery
from orpheus.api.contract.requests import BulkFilter
from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.job_filter import JobFilter, filter_problems
from orpheus.shared.errors import FieldProblem

PAGE_S = 0.02
"""How long to look for the jobs of a page."""


def chosen(query: JobsQuery | BulkFilter, at: str = "") -> JobFilter:
    """Return the filter. Raises Refusal (422) if no job can match it.

    `at`: where the query is in the body of the request, as a JSON pointer.
    """
    ids = query.ids if isinstance(query, BulkFilter) else None
    wanted = JobFilter(
        status=query.status,
        type=query.type,
        queue=query.queue,
        tag=query.tag,
        q=query.q,
        error=query.error,
        where=query.where,
        ids=None if ids is None else tuple(ids),
    )
    if problems := filter_problems(wanted):
        raise refused_fields([FieldProblem(f"{at}{p.pointer}", p.detail) for p in problems])
    return wanted
