"""Which jobs a list shows, or an action on many jobs changes.

Pure. Each way in (HTTP, the command line, the clients) makes a JobFilter of what it is given, and
asks `filter_problems` whether any job can match.
"""

import msgspec

from orpheus.shared.domain.jobs import Status
from orpheus.shared.errors import FieldProblem


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
    ids: tuple[int, ...] | None = None


def filter_problems(wanted: JobFilter) -> list[FieldProblem]:
    """Return why no job can match."""
    if wanted.where is not None and wanted.error is None:
        return [FieldProblem("/where", "needs error: only what has failed has a location")]
    return []
