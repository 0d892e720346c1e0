"""Which jobs a list shows, or an action on many jobs changes.

Pure. Each way in (HTTP, the command line, the clients) makes a JobFilter of what it is given, and
asks `filter_problems` whether any job can match.
"""

import msgspec

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.errors import FieldProblem

NOT_ENDED = "such a job has not ended"


class JobFilter(msgspec.Struct, frozen=True):
    """Selects jobs: each field that is not None must match.

    `q` is searched for as one phrase in type, payload, error message and tags.
    """

    status: Status | None = None
    type: str | None = None
    queue: str | None = None
    tag: str | None = None
    q: str | None = None
    error: str | None = None
    """The type of its error, as in `ErrorGroup`; so is `where`, in which empty text is a value."""
    where: str | None = None
    since_ms: int | None = None
    """It ended at that time or later; `until_ms`: before that time."""
    until_ms: int | None = None
    ids: tuple[int, ...] | None = None

    @property
    def by_end(self) -> bool:
        """Whether it selects by the jobs' ends; a list is then in the order of these."""
        return self.since_ms is not None or self.until_ms is not None


def filter_problems(wanted: JobFilter, prefix: str = "") -> list[FieldProblem]:
    """Return why no job can match.

    `prefix`: what the reader writes before the name of a field, `--` on the command line.
    """
    problems = span_problems(wanted.since_ms, wanted.until_ms, prefix)
    if wanted.where is not None and wanted.error is None:
        detail = f"needs {prefix}error: only what has failed has a location"
        problems.append(FieldProblem("/where", detail))
    if wanted.status in LIVE and wanted.by_end:
        detail = f"cannot be {wanted.status} with {prefix}since or {prefix}until: {NOT_ENDED}"
        problems.append(FieldProblem("/status", detail))
    return problems


def span_problems(
    since_ms: int | None, until_ms: int | None, prefix: str = ""
) -> list[FieldProblem]:
    """Return what is wrong with a span of time that is open where it has None."""
    if since_ms is None or until_ms is None or since_ms < until_ms:
        return []
    return [FieldProblem("/until", f"must be later than {prefix}since")]
