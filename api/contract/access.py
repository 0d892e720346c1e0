"""Which role each call needs, and what it means for a caller that may see only some jobs. Pure.

A route that is not in this table keeps the API from starting (api/routes/enforced.py).
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from orpheus.shared.domain.access import Role, Scope


class Narrow(Enum):
    """What a call does for a caller whose scope is not everything."""

    REFUSED = "it is about more than the jobs of the scope: 403"
    FILTERED = "the route shows and changes only what is in the scope"
    QUEUES = "the same, but its figures are of all types of a queue: 403 if types are narrowed"
    TYPES = "the same, but its figures are of all queues of a type: 403 if queues are narrowed"
    JOB = "a job outside the scope is not there: 404"
    QUEUE = "a queue outside the scope is not there: 404; 403 if types are narrowed"
    SCHEDULE = "a schedule whose jobs are outside the scope is not there: 404"


class Call(msgspec.Struct, frozen=True):
    """What a call needs. `least`: None if anybody may make it."""

    least: Role | None
    narrow: Narrow = Narrow.REFUSED

    def is_refused_to(self, scope: Scope) -> bool:
        """Return whether a caller that may see only `scope` can never make the call."""
        if self.narrow is Narrow.REFUSED:
            return not scope.has_everything
        if self.narrow in (Narrow.QUEUES, Narrow.QUEUE):
            return not scope.has_every_type
        return self.narrow is Narrow.TYPES and not scope.has_every_queue


_LOOK, _SUBMIT, _ACT, _ALL = Role.VIEWER, Role.SUBMITTER, Role.OPERATOR, Role.ADMIN
_PUBLIC = Call(None, Narrow.FILTERED)
_PAGE = Call(_LOOK, Narrow.FILTERED)
"""A page holds no data: its scripts call the API."""
_CALLS: Mapping[str, Call] = {
    "GET /healthz": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "POST /session": _PUBLIC,
    "GET /session": Call(_LOOK, Narrow.FILTERED),
    "DELETE /session": Call(_LOOK, Narrow.FILTERED),
    "GET /openapi.json": _PAGE,
    "GET /metrics": Call(_LOOK),
    # Jobs
    "GET /jobs": Call(_LOOK, Narrow.FILTERED),
    "POST /jobs": Call(_SUBMIT, Narrow.FILTERED),
    "POST /jobs/batch": Call(_SUBMIT, Narrow.FILTERED),
    "POST /jobs/bulk": Call(_ACT, Narrow.FILTERED),
    "GET /jobs/batch": _PAGE,  # 405
    "DELETE /jobs/batch": _PAGE,
    "GET /jobs/bulk": _PAGE,
    "DELETE /jobs/bulk": _PAGE,
    "GET /jobs/{job_id}": Call(_LOOK, Narrow.JOB),
    "GET /jobs/{job_id}/why": Call(_LOOK, Narrow.JOB),
    "GET /jobs/{job_id}/graph": Call(_LOOK, Narrow.JOB),
    "GET /jobs/{job_id}/logs": Call(_LOOK, Narrow.JOB),
    "GET /jobs/{job_id}/events": Call(_LOOK, Narrow.JOB),
    "GET /jobs/{job_id}/steps": Call(_LOOK, Narrow.JOB),
    "POST /jobs/{job_id}/cancel": Call(_ACT, Narrow.JOB),
    "POST /jobs/{job_id}/retry": Call(_ACT, Narrow.JOB),
    "POST /jobs/{job_id}/run": Call(_ACT, Narrow.JOB),
    "DELETE /jobs/{job_id}": Call(_ACT, Narrow.JOB),
    "POST /signals": Call(_SUBMIT),
    "GET /errors": Call(_LOOK, Narrow.FILTERED),
    "WS /ws": Call(_LOOK, Narrow.FILTERED),
    "GET /events": Call(_LOOK, Narrow.FILTERED),
    # Queues, schedules and types
    "GET /queues": Call(_LOOK, Narrow.QUEUES),
    "POST /queues/{name}/pause": Call(_ACT, Narrow.QUEUE),
    "POST /queues/{name}/resume": Call(_ACT, Narrow.QUEUE),
    "GET /schedules": Call(_LOOK, Narrow.FILTERED),
    "PUT /schedules/{name}": Call(_SUBMIT, Narrow.SCHEDULE),
    "DELETE /schedules/{name}": Call(_SUBMIT, Narrow.SCHEDULE),
    "POST /schedules/{name}/run": Call(_ACT, Narrow.SCHEDULE),
    "POST /schedules/{name}/pause": Call(_ACT, Narrow.SCHEDULE),
    "POST /schedules/{name}/resume": Call(_ACT, Narrow.SCHEDULE),
    "GET /types": Call(_LOOK, Narrow.FILTERED),
    "GET /stats/types": Call(_LOOK, Narrow.TYPES),
    "POST /types/{name}/release": Call(_ACT),
    # The whole system
    "GET /stats": Call(_LOOK),
    "GET /stats/history": Call(_LOOK),
    "GET /timeline": Call(_LOOK),
    "GET /audit": Call(_LOOK),
    "GET /alerts": Call(_LOOK),
    "POST /concerns/{code}/acknowledge": Call(_ACT),
    "POST /concerns/{code}/unacknowledge": Call(_ACT),
    "GET /workers": Call(_LOOK),
    "GET /workers/{slot}/stack": Call(_LOOK),
    "GET /programs/{slot}/logs": Call(_LOOK),
    "POST /workers/{slot}/restart": Call(_ACT),
    "POST /workers/{slot}/drain": Call(_ALL),
    "POST /pools/{name}/scale": Call(_ALL),
    "GET /config": Call(_ACT),
    "GET /config/versions": Call(_ACT),
    "PUT /config": Call(_ALL),
}
"""By method and path; WS is a WebSocket."""
_STATIC = "/ui/static/"


def call_of(method: str, path: str) -> Call:
    """Return what a route needs. Raises LookupError for one that the table lacks."""
    if path.startswith(_STATIC):  # the guard lets in everybody to the files of the login page
        return _PUBLIC
    if path == "/" or path.startswith(("/ui", "/docs")):
        return _PAGE
    return _CALLS[f"{method} {path}"]
