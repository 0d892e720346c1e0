"""Lets a call through to its route only for a caller whose role and scope allow it.

Each route is wrapped when the application is made, so what is checked is the route that was found,
whatever the path looks like. A caller with a narrow scope is told that what lies outside does not
exist (404), and which calls it may not make at all (403).
"""

from collections.abc import Iterable, Mapping

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from orpheus.api.contract.access import Call, Narrow, call_of
from orpheus.api.http.auth import Caller
from orpheus.api.http.calls import parse_job_id
from orpheus.api.http.problems import Refusal
from orpheus.api.http.scope import caller_of
from orpheus.api.services import services_of
from orpheus.shared.errors import NotFound
from orpheus.shared.operations.schedules import queue_of
from orpheus.shared.storage import Store


def enforce(routes: Iterable[BaseRoute]) -> None:
    """Wrap each route. Raises LookupError for a route that the table of calls lacks.

    The routes of the API are made once for a process: another application finds them wrapped.
    """
    for route in routes:
        if isinstance(getattr(route, "app", None), Enforced):
            continue
        if isinstance(route, WebSocketRoute):
            route.app = Enforced(route.app, {"WS": call_of("WS", route.path)})
        elif isinstance(route, Route):
            methods = (route.methods or set()) - {"HEAD"}  # the guard makes a GET of it
            calls = {method: call_of(method, route.path) for method in methods}
            route.app = Enforced(route.app, calls)
        else:
            raise LookupError(f"{route} is no route with methods")


class Enforced:
    """ASGI middleware around one route. `calls`: what each method of it needs."""

    def __init__(self, app: ASGIApp, calls: Mapping[str, Call]) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the route. Raises Refusal and NotFound."""
        await check(scope, self._calls[scope.get("method", "WS")])
        await self._app(scope, receive, send)


async def check(scope: Scope, call: Call) -> None:
    """Raise Refusal (403) or NotFound unless the caller may make the call."""
    caller = caller_of(scope)
    if call.least is None:
        return
    if caller.role is None or not caller.role.may(call.least):
        raise Refusal(403, f"{_named(caller)}: this needs {call.least.words}.")
    if not caller.scope.has_everything:
        await _check_scope(scope, caller, call)


async def _check_scope(scope: Scope, caller: Caller, call: Call) -> None:
    seen, narrow = caller.scope, call.narrow
    if call.is_refused_to(seen):
        detail = f"{_named(caller)} of {seen.words}: this shows or changes more."
        raise Refusal(403, detail)
    if narrow is Narrow.QUEUE and not seen.sees_queue(scope["path_params"]["name"]):
        raise NotFound(f"there is no queue {scope['path_params']['name']!r}")
    readers = services_of(HTTPConnection(scope)).readers
    if narrow is Narrow.JOB:
        await readers.read(lambda store: check_job(store, caller, _job_id(scope)))
    elif narrow is Narrow.SCHEDULE:
        await readers.read(lambda store: _check_schedule(store, caller, scope))


def check_job(store: Store, caller: Caller, job_id: int) -> None:
    """Raise NotFound if there is no such job, or the caller may not see it."""
    job = store.jobs.get(job_id)
    if not caller.scope.sees(job.queue, job.type):
        raise NotFound(f"there is no job {job_id}")


def _job_id(scope: Scope) -> int:
    return parse_job_id(scope["path_params"]["job_id"])


def _check_schedule(store: Store, caller: Caller, scope: Scope) -> None:
    """Raise NotFound if the schedule's jobs are outside the scope; a new name may be put."""
    name = scope["path_params"]["name"]
    row = store.schedules.find(name)
    if row is None:
        return
    queue, type = row.definition.queue, row.definition.type
    if not caller.scope.sees(queue_of(store, type, queue), type):
        raise NotFound(f"there is no schedule {name!r}")


def _named(caller: Caller) -> str:
    return f"{caller.name or 'The caller'} is {caller.role.words}" if caller.role else "No login"
