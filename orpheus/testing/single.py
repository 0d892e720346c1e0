"""One attempt of one job, without a database: for the unit test of a job's function."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, overload

import msgspec

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.hidden import NO_RULES
from orpheus.shared.domain.jobs import Dependency, JobError, Lease, NewJob, Outcome, Status
from orpheus.shared.domain.jobs import LogLine as StoredLine
from orpheus.shared.domain.lifecycle import ENDINGS
from orpheus.shared.domain.steps import KeptSteps, NewStep, Step, StepKind, StepState
from orpheus.shared.job_types.admission import prepare_child
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import JobType, registered_types
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.encoding import as_decoded
from orpheus.shared.messages.jobs import LogLine, log_line_of
from orpheus.shared.moments import parse_time_ms
from orpheus.testing.attempts import job_type_of, run_attempt
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.outcomes import payload_text

_JOB_ID = 1
_LONG_MS = 2**62
_CREATED_MS = 1_800_000_000_000
_FIRST_CHILD = 1_000


class Ran(msgspec.Struct, frozen=True):
    """How an attempt ended, and what its context recorded."""

    result: Any
    """The value that it returned, as JSON; None unless it succeeded."""
    outcome: Outcome
    error: JobError | None
    is_permanent: bool
    """It failed, and no retry would follow."""
    snoozed_s: float
    """The delay of the Snooze that it raised, in seconds; 0: it raised none."""
    logs: tuple[LogLine, ...]
    progress: tuple[tuple[float, str | None], ...]
    """Each fraction and message that it reported."""
    children: tuple[JobRequest, ...]
    """The jobs that it enqueued; empty unless it succeeded."""
    steps: dict[str, Any] = {}
    """The results of the steps that it kept, by name, with those that were given to it."""
    waits_for: str | None = None
    """The name of the sleep, signal or gather for which it left the worker."""
    signals: dict[tuple[str, str], Any] = {}
    """The payloads of the signals that it sent, by name and key; empty unless it succeeded."""


class _Recorded(RunningAttempt):
    """An attempt that keeps all the progress that was reported, and not only the newest."""

    reported: tuple[Any, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "unsaved_progress" and value is not None:
            self.reported = (*self.reported, value)
        super().__setattr__(name, value)


class _Given(msgspec.Struct, frozen=True):
    """What earlier attempts kept, and what was sent, as the test says."""

    steps: Mapping[str, Any]
    slept: Sequence[str]
    signals: Mapping[tuple[str, str], Any]
    gathered: Mapping[str, Sequence[Any]]

    def kept(self) -> Iterator[Step]:
        """Yield it as it would be stored."""
        for name, value in self.steps.items():
            yield Step(name, 1, StepKind.STEP, StepState.KEPT, payload_text(value), 1, 0)
        for name in self.slept:
            yield Step(name, 1, StepKind.SLEEP, StepState.KEPT, None, 1, 0)
        child = _FIRST_CHILD
        for name, results in self.gathered.items():
            ids = tuple(range(child, child + len(results)))
            child += len(results)
            yield Step(name, 1, StepKind.GATHER, StepState.WAITING, None, 1, 0, children=ids)


class _Queries:
    """What the attempt may ask, without a database."""

    def __init__(self, dependencies: Iterable[Dependency], given: "_Given") -> None:
        self._dependencies = list(dependencies)
        self._given = given
        self.children: list[JobRequest] = []
        self.steps = dict(given.steps)

    def dependencies(self, _job_id: int) -> list[Dependency]:
        """Return what the test says of the jobs that it depends on."""
        return self._dependencies

    def other_readers(self, _lease: Lease, _job_type: JobType | None) -> str | None:
        """Return that no other code can read what this code cannot."""
        return None

    def prepare_child(self, request: JobRequest) -> NewJob:
        """Check a job that the handler wants to submit. Raises PermanentError, naming the field.

        A type that no imported module defines may belong to a module that only workers import.
        """
        payload = json.loads(payload_text(request.payload))
        known = registered_types().get(request.type)
        if known is None:
            child = NewJob(request.type, ref=request.ref)
        else:
            row = type_row(known.describe())
            child = prepare_child({row.name: row}, JobDefaults(3, 900.0), request, payload)
        self.children.append(request)
        return child

    def kept_steps(self, _job_id: int) -> KeptSteps:
        """Return what the test says that earlier attempts kept."""
        return KeptSteps(_CREATED_MS, list(self._given.kept()))

    def step_result(self, _job_id: int, name: str) -> str:
        """Return the result of a step."""
        return payload_text(self.steps[name])

    def keep_step(self, _lease: Lease, step: NewStep, _forget: tuple[str, str] | None) -> bool:
        """Record a step."""
        self.steps[step.name] = json.loads(step.result or "null")
        return True

    def signal_payload(self, name: str, key: str) -> str | None:
        """Return the payload of a signal that the test gives."""
        signals = self._given.signals
        return payload_text(signals[name, key]) if (name, key) in signals else None

    def gathered(self, job_ids: Sequence[int]) -> list[Dependency]:
        """Return the children whose results the test gives."""
        results = [result for results in self._given.gathered.values() for result in results]
        return [
            Dependency(job_id, "child", Status.DONE, payload_text(results[job_id - _FIRST_CHILD]))
            for job_id in job_ids
        ]


@overload
def run(job: Callable[..., Any], /, *arguments: Any, **payload: Any) -> Ran: ...


@overload
def run(
    job: JobRequest,
    /,
    *,
    attempt: int = 1,
    cancelled: bool = False,
    results: Mapping[Any, Any] | None = None,
    errors: Mapping[Any, str] | None = None,
    steps: Mapping[str, Any] | None = None,
    slept: Sequence[str] = (),
    signals: Mapping[tuple[str, str], Any] | None = None,
    gathered: Mapping[str, Sequence[Any]] | None = None,
    scheduled_at: datetime | None = None,
) -> Ran: ...


def run(job: Any, /, *arguments: Any, **given: Any) -> Ran:
    """Run one attempt: `run(resize, path="/a.png")` or `run(resize.new(path="/a.png"), attempt=3)`.

    The payload goes the way that it goes from an application to a worker. The second form says more
    about the attempt: its number, whether its job was cancelled, the time of the schedule that made
    it (`scheduled_at`), and the results and errors of the jobs that it depends on, each by id, ref
    or job type. Of a durable function: the results of the
    `steps` that earlier attempts kept, the names of the sleeps that are over (`slept`), the
    payloads of `signals` by name and key, and the results of the children it has `gathered`.

    Raises TypeError for a payload that does not fit. What the job raises is in the answer.
    """
    if isinstance(job, JobRequest):
        return _run(job, *arguments, **given)
    return _run(job_type_of(job).new(*arguments, **given))


def _run(
    request: JobRequest,
    *,
    attempt: int = 1,
    cancelled: bool = False,
    results: Mapping[Any, Any] | None = None,
    errors: Mapping[Any, str] | None = None,
    steps: Mapping[str, Any] | None = None,
    slept: Sequence[str] = (),
    signals: Mapping[tuple[str, str], Any] | None = None,
    gathered: Mapping[str, Sequence[Any]] | None = None,
    scheduled_at: datetime | None = None,
) -> Ran:
    given = _Given(steps or {}, slept, signals or {}, gathered or {})
    queries = _Queries(_dependencies(results or {}, errors or {}), given)
    has_kept = bool(given.steps or given.slept or given.gathered)
    running = _Recorded(_lease(request, max(attempt, 1 + has_kept), scheduled_at), time.monotonic())
    if cancelled:
        running.request_cancel(time.monotonic())
    finished = run_attempt(running, registered_types(), queries)
    rule = ENDINGS[finished.ending]
    succeeded = rule.outcome is Outcome.SUCCEEDED
    assert rule.outcome is not None
    return Ran(
        result=json.loads(finished.result) if finished.result is not None else None,
        outcome=rule.outcome,
        error=finished.error,
        is_permanent=rule.goes_to is Status.FAILED,
        snoozed_s=finished.snooze_ms / 1000,
        logs=tuple(_lines(running)),
        progress=running.reported,
        children=_without_own_refs(queries.children) if succeeded else (),
        steps=queries.steps,
        waits_for=None if finished.wait is None else finished.wait.step.name,
        signals={(sent.name, sent.key): json.loads(sent.payload) for sent in finished.signals},
    )


def _lease(request: JobRequest, attempt: int, scheduled_at: datetime | None) -> Lease:
    job_type = registered_types().get(request.type)
    timeout_s = request.timeout or (job_type.timeout_s if job_type else None)
    return Lease(
        job_id=_JOB_ID,
        token=1,
        attempt=attempt,
        type=request.type,
        payload=payload_text(request.payload),
        queue=request.queue or (job_type.queue if job_type else None) or "default",
        concurrency_key=request.concurrency_key,
        timeout_s=timeout_s or 900.0,
        max_retries=3,
        failures=attempt - 1,
        crashes=0,
        started_at_ms=time.time_ns() // 1_000_000,
        expires_mono_ms=_LONG_MS,
        cancel_requested=False,
        scheduled_ms=None if scheduled_at is None else parse_time_ms(scheduled_at),
    )


def _dependencies(results: Mapping[Any, Any], errors: Mapping[Any, str]) -> Iterator[Dependency]:
    """Yield a done job for each result, and a failed job for each error."""
    for number, key in enumerate([*results, *errors], start=_JOB_ID + 1):
        job_type = getattr(key, "job_type", None)
        yield Dependency(
            id=key if isinstance(key, int) else number,
            type=str(key) if job_type is None else job_type.name,
            status=Status.DONE if key in results else Status.FAILED,
            result=payload_text(results[key]) if key in results else None,
            error=None if key in results else JobError("Error", errors[key]),
            ref=key if isinstance(key, str) else None,
        )


def _lines(attempt: RunningAttempt) -> Iterator[LogLine]:
    taken = attempt.take_lines()
    for number, new in enumerate(taken, start=1):
        line = StoredLine(number, attempt.lease.attempt, new.at_ms, new.level, new.line, new.fields)
        yield as_decoded(log_line_of(line, NO_RULES), LogLine)


def _without_own_refs(children: Sequence[JobRequest]) -> tuple[JobRequest, ...]:
    """Return the children as the job made them: the Context gives each a ref."""
    named = {ref for child in children for ref in child.depends_on}
    return tuple(
        child.with_options(ref=None)
        if child.ref == f"child-{number}" and child.ref not in named
        else child
        for number, child in enumerate(children, start=1)
    )
