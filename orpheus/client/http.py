"""The methods of a client over HTTP: what is sent, what is sent again, and what an answer means.

A request is sent again if the server never saw it, or if doing it twice does the same as doing it
once. Other requests may have been done whatever is answered: a proxy may pass one on, lose the
answer and say 503. The caller gets the error. These can be done twice:

- a GET;
- a submission: its Idempotency-Key makes one job of it;
- a cancel: a job that is cancelled stays so. If the repeat is refused (409) and a cancel of the job
  was requested, it was done;
- a signal: the first payload stays. If the first answer is lost, `is_new` is False;
- a schedule: the last one that is put stays;
- a delete: ids are not used again. If the repeat finds no job (404), it was done.

A retry is not one of them: the job may fail again in between, and would be run once more. Neither
is `run_now`: the job may wait for another attempt by then, and would lose its backoff.
"""

import json
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from orpheus.client.requests import batch_body, one_body, submit_span
from orpheus.client.steps import Answer, Compute, Failure, Pause, Send, Steps
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.steps import NewSignal
from orpheus.shared.errors import (
    DatabaseFull,
    FieldProblem,
    InvalidJob,
    NotFound,
    OrpheusError,
    TooLarge,
    TransitionRefused,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.jobs import Event, Events, Ids, Job, JobGraph, LogLine, LogLines
from orpheus.shared.messages.queues import Queue, Queues, Why
from orpheus.shared.messages.schedules import Schedule, Schedules
from orpheus.shared.messages.steps import JobStep, JobSteps, Signal
from orpheus.shared.moments import rfc3339

T = TypeVar("T")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_LONGEST_HOLD_S = 30.0
_HOLD_TO_FOLLOW_S = 0.5
_SHORTEST_TURN_S = 0.2
_GATEWAY = (502, 503, 504)
_GONE, _REFUSED = 404, 409
_UNKNOWN = "; it may have been done"
_ANOTHER = ": does Orpheus answer there?"
_MEANING: Mapping[int, type[OrpheusError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: TransitionRefused,
    413: TooLarge,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: DatabaseFull,
}
_OF_A_PROXY = (401, 403, 413, *_GATEWAY)
"""What such an answer means is so, too, if a proxy in front of Orpheus gives it."""
_TEXTS_OF_A_FILTER = (
    "status",
    "type",
    "queue",
    "tag",
    "unique_key",
    "payload",
    "q",
    "error",
    "where",
)
_PROBLEM = "application/problem+json"


class _Page(msgspec.Struct):
    """What a client needs of a JobPage."""

    items: list[Job]
    next_cursor: str | None


class HttpCalls:
    """The calls as steps that send requests. `retry_for_s`: how long a request is sent again."""

    def __init__(self, retry_for_s: float) -> None:
        self._retry_for_s = retry_for_s

    def submit(self, request: JobRequest) -> Steps[Job]:
        """Submit a job; return it, or the live job with its unique key."""
        body = one_body(request)
        with submit_span(request.type) as traceparent:
            return (yield from self._read(Job, _submission("/jobs", body, traceparent)))

    def submit_many(self, requests: Sequence[JobRequest]) -> Steps[list[int]]:
        """Submit all jobs or none; return their ids in order."""
        body = yield Compute(lambda: batch_body(requests))
        with submit_span(None) as traceparent:
            return (yield from self._read(Ids, _submission("/jobs/batch", body, traceparent))).ids

    def get(self, job_id: int) -> Steps[Job]:
        """Return the job with its attempts."""
        return (yield from self._read(Job, Send("GET", f"/jobs/{job_id}")))

    def wait(self, job_id: int, timeout_s: float) -> Steps[Job]:
        """Return the job with its attempts once it has ended, or as it is after `timeout_s`."""
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            left_s = max(give_up_at_s - time.monotonic(), 0.0)
            job = yield from self._held(job_id, min(left_s, _LONGEST_HOLD_S), left_s)
            if job.ended or time.monotonic() >= give_up_at_s:
                return job

    def later(self, job_id: int, waited_s: float, left_s: float) -> Steps[Job]:  # noqa: ARG002
        """Return the job with its attempts, a moment later or when it has ended."""
        return self._held(job_id, min(left_s, _HOLD_TO_FOLLOW_S), left_s)

    def _held(self, job_id: int, hold_s: float, retry_for_s: float) -> Steps[Job]:
        """Return the job once it has ended, or as it is after `hold_s`."""
        asked_s = time.monotonic()
        hold_s = round(hold_s, 3)
        query = {"wait": str(hold_s)} if hold_s else {}
        send = Send("GET", f"/jobs/{job_id}", query=query, hold_s=hold_s)
        job = yield from self._read(Job, send, retry_for_s=retry_for_s)
        # A server that is stopping does not wait.
        if not job.ended and time.monotonic() - asked_s < min(hold_s, _SHORTEST_TURN_S):
            yield Pause(_SHORTEST_TURN_S)
        return job

    def page(
        self, wanted: JobFilter, limit: int, cursor: str | None
    ) -> Steps[tuple[list[Job], str | None]]:
        """Return a page of jobs, newest first, and the cursor of the next."""
        fields = {
            **{name: getattr(wanted, name) for name in _TEXTS_OF_A_FILTER},
            "since": wanted.since_ms and rfc3339(wanted.since_ms),
            "until": wanted.until_ms and rfc3339(wanted.until_ms),
            "cursor": cursor,
        }
        query = {name: value for name, value in fields.items() if value is not None}
        send = Send("GET", "/jobs", query={**query, "limit": limit})
        page = yield from self._read(_Page, send)
        return page.items, page.next_cursor

    def cancel(self, job_id: int, reason: str | None) -> Steps[Job]:
        """Cancel the job, or ask its worker to stop."""
        path = f"/jobs/{job_id}/cancel"
        send = Send("POST", path, body=_reason(reason), done_already=_REFUSED)
        answer = yield from self._answer(send)
        if answer.status != _REFUSED:
            return _decoded(Job, send, answer)
        job = yield from self.get(job_id)
        if not job.cancel_requested:
            raise _error_of(send, answer)
        return msgspec.structs.replace(job, attempts=())

    def retry(self, job_id: int, from_step: str | None, reason: str | None) -> Steps[Job]:
        """Run a failed or cancelled job again."""
        return self._change(f"/jobs/{job_id}/retry", reason, from_step)

    def run_now(self, job_id: int, reason: str | None) -> Steps[Job]:
        """Make a pending job due now."""
        return self._change(f"/jobs/{job_id}/run", reason)

    def _change(self, path: str, reason: str | None, from_step: str | None = None) -> Steps[Job]:
        send = Send("POST", path, body=_reason(reason, from_step=from_step))
        return (yield from self._read(Job, send))

    def delete(self, job_id: int, reason: str | None) -> Steps[None]:
        """Delete a job that has ended."""
        path = f"/jobs/{job_id}"
        yield from self._answer(Send("DELETE", path, body=_reason(reason), done_already=_GONE))

    def signal(self, new: NewSignal) -> Steps[Signal]:
        """Send a signal, or return it as it was sent first."""
        fields = {"name": new.name, "key": new.key, "payload": msgspec.Raw(new.payload)}
        body = msgspec.json.encode(fields | ({"replace": True} if new.replaces else {}))
        send = Send("POST", "/signals", body=body, is_same_again=True)
        return (yield from self._read(Signal, send))

    def steps(self, job_id: int) -> Steps[list[JobStep]]:
        """Return what the job has kept, oldest first."""
        return (yield from self._read(JobSteps, Send("GET", f"/jobs/{job_id}/steps"))).items

    def why(self, job_id: int) -> Steps[Why]:
        """Return why the job does not run."""
        return self._read(Why, Send("GET", f"/jobs/{job_id}/why"))

    def queues(self) -> Steps[list[Queue]]:
        """Return every queue, by name."""
        return (yield from self._read(Queues, Send("GET", "/queues"))).items

    def graph(self, job_id: int) -> Steps[JobGraph]:
        """Return the jobs around the job."""
        return self._read(JobGraph, Send("GET", f"/jobs/{job_id}/graph"))

    def schedules(self) -> Steps[list[Schedule]]:
        """Return every schedule, by name."""
        return (yield from self._read(Schedules, Send("GET", "/schedules"))).items

    def put_schedule(self, name: str, body: bytes) -> Steps[Schedule]:
        """Add or change a schedule of a program."""
        send = Send("PUT", _schedule(name), body=body, is_same_again=True)
        return self._read(Schedule, send)

    def delete_schedule(self, name: str, reason: str | None) -> Steps[None]:
        """Delete a schedule of a program."""
        send = Send("DELETE", _schedule(name), body=_reason(reason), done_already=_GONE)
        yield from self._answer(send)

    def lines(self, job_id: int, after: int, limit: int) -> Steps[list[LogLine]]:
        """Return some lines of the job's log, oldest first."""
        query = {"after": after, "limit": limit}
        send = Send("GET", f"/jobs/{job_id}/logs", query=query)
        return (yield from self._read(LogLines, send)).items

    def happened(self, job_id: int, after: int, limit: int) -> Steps[list[Event]]:
        """Return some events of the job, oldest first."""
        query = {"after": after, "limit": limit}
        send = Send("GET", f"/jobs/{job_id}/events", query=query)
        return (yield from self._read(Events, send)).items

    def _read(self, kind: type[T], send: Send, retry_for_s: float = inf) -> Steps[T]:
        """Return the message in the answer."""
        return _decoded(kind, send, (yield from self._answer(send, retry_for_s)))

    def _answer(self, send: Send, retry_for_s: float = inf) -> Steps[Answer]:
        """Return a good answer, or the answer to a repeat that says that the action was done.

        Any other answer, or none, raises its error.
        """
        give_up_at_s = time.monotonic() + min(self._retry_for_s, retry_for_s)
        pause_s = _FIRST_PAUSE_S
        may_be_done = False
        while True:
            outcome: Answer | Failure = yield send
            wanted_s = _seconds_to_retry(send, outcome)
            if wanted_s is None or time.monotonic() + max(wanted_s, pause_s) > give_up_at_s:
                return _good(send, outcome, may_be_done=may_be_done)
            may_be_done |= isinstance(outcome, Answer) or outcome.was_sent
            yield Pause(max(wanted_s, pause_s * random.uniform(0.5, 1.0)))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _schedule(name: str) -> str:
    return f"/schedules/{quote(name, safe='')}"


def _submission(path: str, body: bytes, traceparent: str | None) -> Send:
    return Send("POST", path, body=body, key=uuid.uuid4().hex, traceparent=traceparent)


def _seconds_to_retry(send: Send, outcome: Answer | Failure) -> float | None:
    """Return how long to wait before the next try, as the server asks; None: no other try."""
    if isinstance(outcome, Failure):
        return 0.0 if send.is_repeatable or not outcome.was_sent else None
    if outcome.status not in _GATEWAY or not send.is_repeatable:
        return None
    retry_after = outcome.headers.get("retry-after", "")
    return float(retry_after) if retry_after.isdigit() and outcome.status == 503 else 0.0


def _good(send: Send, outcome: Answer | Failure, *, may_be_done: bool) -> Answer:
    """Return an answer of 200 to 299, or one that says that an earlier try was done.

    Any other outcome raises its error.
    """
    if isinstance(outcome, Failure):
        unknown = "" if send.is_repeatable or not outcome.was_sent else _UNKNOWN
        raise Unavailable(f"{send.method} {send.path}: {outcome.reason}{unknown}")
    if 200 <= outcome.status < 300:
        return outcome
    if may_be_done and outcome.status == send.done_already and _problem(outcome):
        return outcome
    raise _error_of(send, outcome)


def _error_of(send: Send, answer: Answer) -> OrpheusError:
    problem = _problem(answer)
    detail = str(problem.get("detail") or f"{send.method} {send.path}: status {answer.status}")
    if not problem and answer.status not in _OF_A_PROXY:
        return UnexpectedAnswer(detail + _ANOTHER)
    if answer.status == 422 and send.method in ("POST", "PUT"):
        return _invalid(detail, problem.get("errors"))
    if answer.status in _GATEWAY and not problem and not send.is_repeatable:
        detail += _UNKNOWN
    return _MEANING.get(answer.status, UnexpectedAnswer)(detail)


def _decoded(kind: type[T], send: Send, answer: Answer) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.ValidationError as error:
        raise _unreadable(send, "is not that of Orpheus") from error
    except ValueError as error:
        raise _unreadable(send, "is not JSON") from error


def _unreadable(send: Send, problem: str) -> UnexpectedAnswer:
    """Return the error for an answer of 200 to 299 that says nothing of what was done."""
    unknown = "" if send.method == "GET" else _UNKNOWN
    return UnexpectedAnswer(f"{send.method} {send.path}: the answer {problem}{unknown}{_ANOTHER}")


def _problem(answer: Answer) -> Mapping[str, Any]:
    """Return the problem in the body; empty if another program answered.

    A gateway may have written another content type: then it is known by its fields.
    """
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    if not isinstance(body, dict) or "detail" not in body:
        return {}
    is_problem = answer.headers.get("content-type", "").lower().startswith(_PROBLEM)
    is_problem |= "title" in body and body.get("status") == answer.status
    return body if is_problem else {}


def _invalid(detail: str, errors: Any) -> InvalidJob:
    try:
        problems = [FieldProblem(error["pointer"], error["detail"]) for error in errors]
    except (TypeError, KeyError):
        problems = []
    return InvalidJob.of(problems) if problems else InvalidJob(detail)


def _reason(reason: str | None, **more: str | None) -> bytes | None:
    """Return the body of an action; None if it has no field."""
    fields = {"reason": reason, **more}
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given).encode() if given else None
