"""Checks what a caller gives to a client, before anything is sent: the same for both kinds."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from orpheus.shared.domain.job_filter import JobFilter, filter_problems
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.json_values import json_pointer, json_problems, not_storable
from orpheus.shared.domain.limits import (
    LARGEST_ID,
    LONGEST_REASON,
    MAX_BATCH_JOBS,
    MAX_DEPTH,
    NAME,
    NAME_RULE,
)
from orpheus.shared.domain.steps import NewSignal, new_signal
from orpheus.shared.durations import moment_ms, parse_moment
from orpheus.shared.errors import FieldProblem, InvalidJob, NotFound
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.jobs import JobState

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def submit_span(job_type: str | None) -> AbstractContextManager[str | None]:
    """Record a submission in the trace of the application, and give the `traceparent` of its jobs.

    It imports nothing of OpenTelemetry: an application that has not imported it has no trace.
    """
    if "opentelemetry.trace" not in sys.modules:
        return nullcontext()
    from orpheus import otel  # noqa: PLC0415 - an extra

    return otel.submit_span(job_type)


def one_body(request: JobRequest) -> bytes:
    """Return the body of POST /jobs.

    Raises InvalidJob for a request that cannot be sent or makes no sense.
    """
    problems = _problems(request, "", depth=1)
    if request.ref is not None:
        problems.append(FieldProblem("/ref", "is for a job of a batch"))
    for position, dependency in enumerate(request.depends_on):
        if isinstance(dependency, str):
            detail = "must be the id of a job: only jobs of a batch can be named by ref"
            problems.append(FieldProblem(f"/depends_on/{position}", detail))
    if problems:
        raise InvalidJob.of(problems)
    return _encode(_fields(request)).encode()


def batch_body(requests: Sequence[JobRequest]) -> bytes:
    """Return the body of POST /jobs/batch. Raises InvalidJob for a job that cannot be sent."""
    if len(requests) > MAX_BATCH_JOBS:
        detail = f"has {len(requests):,} jobs: a batch may have {MAX_BATCH_JOBS:,}"
        raise InvalidJob.of([FieldProblem("/jobs", detail)])
    problems = [
        problem
        for index, request in enumerate(requests)
        for problem in _problems(request, f"/jobs/{index}", depth=3)
    ]
    if problems:
        raise InvalidJob.of(problems)
    return _encode({"jobs": [_fields(request) for request in requests]}).encode()


_OF_SCHEDULED_JOBS = frozenset({"type", "payload", "queue", "priority"})


def schedule_body(
    name: str, request: JobRequest, timing: Mapping[str, Any], reason: str | None
) -> bytes:
    """Return the body of PUT /schedules/{name}. None: not given.

    Raises InvalidJob for a name that cannot be sent, a job that cannot be sent, and a job with
    options that a schedule does not keep.
    """
    problems = [] if NAME.fullmatch(name) else [FieldProblem("/name", NAME_RULE)]
    problems += [
        FieldProblem(f"/{option}", "is not kept by a schedule: it keeps queue and priority")
        for option in request.given().keys() - _OF_SCHEDULED_JOBS
    ]
    if problems:
        raise InvalidJob.of(problems)
    fields = json.loads(one_body(request))
    for field, value in {**timing, "reason": reason}.items():
        if value is not None:
            fields[field] = value.total_seconds() if isinstance(value, timedelta) else value
    return _encode(fields).encode()


def signal_to_send(name: str, key: str | int, payload: Any, *, replace: bool) -> NewSignal:
    """Return a signal. Raises InvalidJob for what is not valid, and TooLarge."""
    problems = _json_problems(payload, "/payload", depth=1)
    if problems:
        raise InvalidJob.of(problems)
    return new_signal(name, key, _encode(payload))._replace(replaces=replace)


def id_of(job: JobState | int) -> int:
    """Return the id of a job. Raises NotFound for a number that no job can have."""
    number = job.id if isinstance(job, JobState) else job
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{number!r} is neither a job nor a job's id")
    if not 1 <= number <= LARGEST_ID:
        raise NotFound(f"there is no job {number}")
    return number


def requests_of(jobs: Iterable[JobRequest]) -> list[JobRequest]:
    """Return the jobs of a batch. Raises TypeError, with its place, for what is no job."""
    requests = list(jobs)
    for index, request in enumerate(requests):
        if not isinstance(request, JobRequest):
            raise TypeError(
                f"jobs[{index}]: submit what .new() returns, or JobRequest(type, payload) from "
                f"orpheus.client, not {request!r}"
            )
    return requests


def wanted_of(
    now_ms: int,
    status: Status | str | None,
    type: str | None,
    queue: str | None,
    tag: str | None,
    unique_key: str | None,
    q: str | None,
    error: str | None,
    where: str | None,
    payload: str | None,
    since: datetime | timedelta | str | None,
    until: datetime | timedelta | str | None,
) -> JobFilter:
    """Return the filter of the jobs to list. Raises ValueError if no job can match it."""
    for what, name in (("type", type), ("queue", queue), ("tag", tag)):
        if name is not None and not NAME.fullmatch(name):
            raise ValueError(f"{what}: {name!r} is not a name: it {NAME_RULE}")
    if q is not None and (not 1 <= len(q) <= 200 or "\0" in q):
        raise ValueError("q: must be text of 1 to 200 characters")
    wanted = JobFilter(
        status=None if status is None else _status_of(status),
        type=type,
        queue=queue,
        tag=tag,
        unique_key=unique_key,
        q=q,
        error=error,
        where=where,
        payload=payload,
        since_ms=_moment_ms("since", since, now_ms),
        until_ms=_moment_ms("until", until, now_ms),
    )
    for problem in filter_problems(wanted):
        raise ValueError(f"{problem.pointer[1:]}: {problem.detail}")
    return wanted


def _status_of(status: str) -> Status:
    if status not in [*Status]:
        raise ValueError(f"status: {status!r} is none of {', '.join(Status)}")
    return Status(status)


def _moment_ms(name: str, at: datetime | timedelta | str | None, now_ms: int) -> int | None:
    """Return a time, which may be given as how long ago it was."""
    if at is None:
        return None
    try:
        moment = parse_moment(at)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return moment_ms(moment, now_ms)


def most_of(limit: int | None) -> int:
    """Return how many jobs to list at most. Raises ValueError for fewer than none."""
    if limit is None:
        return sys.maxsize
    if limit < 0:
        raise ValueError(f"limit: must be 0 or more, not {limit}")
    return limit


def reason_of(reason: str | None) -> str | None:
    """Return the reason for the audit log. Raises ValueError if the log cannot hold it."""
    if reason is not None and (not 1 <= len(reason) <= LONGEST_REASON or not_storable(reason)):
        raise ValueError(f"reason: must be text of 1 to {LONGEST_REASON} characters")
    return reason


def _fields(request: JobRequest) -> dict[str, Any]:
    """Return the fields in the form that JSON has for them."""
    fields = request.given()
    if request.run_at is not None:
        fields["run_at"] = request.run_at.isoformat()
    return fields


def _problems(request: JobRequest, at: str, *, depth: int) -> list[FieldProblem]:
    """Return the problems of a payload that is `depth` objects deep in its body, as JSON."""
    if not isinstance(request.payload, dict):
        return [FieldProblem(f"{at}/payload", "must be a dict")]
    return _json_problems(request.payload, f"{at}/payload", depth=depth)


def _json_problems(value: Any, at: str, *, depth: int) -> list[FieldProblem]:
    problems = [
        FieldProblem(at + json_pointer(path), detail)
        for path, detail in json_problems(value, not_storable)
    ]
    if not problems and _depth(value, MAX_DEPTH - depth) > MAX_DEPTH - depth:
        problems.append(FieldProblem(at, "is nested too deep"))
    return problems


def _depth(value: Any, most: int) -> int:
    """Return how deep objects and lists are nested, counted up to one more than `most`."""
    if not isinstance(value, (dict, list, tuple)):
        return 0
    if most < 1:
        return 1
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(item, most - 1) for item in inner), default=0)
