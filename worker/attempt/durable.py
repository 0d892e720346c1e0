"""What a durable function has kept, and what it keeps and waits for next (docs/adr/0041).

The function runs again from its first line. What it asks for is found by name; if it is not kept
yet, it is done and kept, or the attempt ends until it has come. Imported by the first job that uses
it.

Each call has a blocking part that asks the database. On an event loop it runs in a thread.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple, NoReturn

from orpheus.shared.domain import steps as domain
from orpheus.shared.domain.jobs import Dependency, JobError, NewJob, Status
from orpheus.shared.domain.steps import (
    MAX_STEPS,
    NewSignal,
    NewStep,
    Step,
    StepKind,
    StepState,
    Suspension,
    step_name_problem,
)
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import InvalidJob, TooLarge
from orpheus.shared.job_types.context import (
    ChildFailed,
    JobCancelled,
    JobSuspended,
    PermanentError,
    SignalTimeout,
)
from orpheus.shared.job_types.request import JobRequest
from orpheus.worker.attempt.child_jobs import ChildJobs
from orpheus.worker.attempt.context import JobQueries, RunningAttempt, check_cancelled
from orpheus.worker.attempt.outcomes import payload_text, result_text

Duration = str | float | timedelta

_running_step: ContextVar[str | None] = ContextVar("running_step", default=None)
"""The step whose function runs here."""
_open_cursors: ContextVar[tuple[int, ...]] = ContextVar("open_cursors", default=())
"""The cursors in whose loops this code runs, from the outermost on; some may be left already."""


class _Use:
    """How often a name was asked for, and by which task or thread."""

    def __init__(self, caller: object) -> None:
        self.caller = caller
        self.times = 0


class Kept(NamedTuple):
    """The value that a function gets of what it has kept."""

    value: Any


class DurableFunction:
    """The steps of one attempt."""

    def __init__(
        self,
        attempt: RunningAttempt,
        queries: JobQueries,
        thread: int,
        caller: Callable[[], object],
    ) -> None:
        """`thread`: that of the function, which alone can wait. `caller`: the task or thread."""
        self._attempt = attempt
        self._queries = queries
        self._thread = thread
        self._caller = caller
        self._steps: dict[str, Step] | None = None
        self._last_position = 0
        self._created_at_ms: int | None = None
        self._used: dict[str, dict[str, _Use]] = {}
        """Each name that was asked for in this attempt, by what full names begin with."""
        self._cursors: dict[int, str] = {}
        """What the names of the steps of an item begin with, by cursor."""

    # Names

    def name(self, name: str) -> str:
        """Return the full name of what the function asks for next under a name."""
        check_cancelled(self._attempt)
        if self._attempt.suspension is not None:
            # A `finally` runs when the function begins to wait; its step belongs to the real end.
            raise JobSuspended(self._attempt.suspension.step.name)
        self._refuse_inside_step(name)
        if problem := step_name_problem(name):
            raise PermanentError(problem)
        full, caller = self._next(name), self._caller()
        use = self._used.setdefault(self._scope, {}).setdefault(name, _Use(caller))
        if use.caller != caller:
            raise PermanentError(
                f"{name!r} was asked for by two tasks or threads, whose order may differ in the "
                "next attempt: use another name in each"
            )
        use.times += 1
        return full

    def _next(self, name: str) -> str:
        scope = self._scope
        use = self._used.get(scope, {}).get(name)
        return scope + (name if use is None else f"{name}#{use.times + 1}")

    @property
    def _scope(self) -> str:
        """What names begin with here: a task that an item starts belongs to the item, too."""
        return "".join(self._cursors.get(cursor, "") for cursor in _open_cursors.get())

    def _refuse_inside_step(self, name: str) -> None:
        step = _running_step.get()
        if step is not None:
            raise PermanentError(
                f"{name!r} was asked for inside the step {step!r}: a step may not have steps of "
                "its own; call them from the function of the job"
            )

    def idempotency_key(self, name: str) -> str:
        """See Context."""
        running = _running_step.get()
        if running is None:
            full = self._next(name)
        else:  # the step's own name, or another that it uses
            is_own = _NUMBER.sub("", running.removeprefix(self._scope)) == name
            full = running if is_own else f"{running} {name}"
        if self._created_at_ms is None:
            self._read()
        lease = self._attempt.lease
        identity = f"{lease.job_id} {self._created_at_ms} {lease.type} {full}"
        return sha256(identity.encode()).hexdigest()[:32]

    # What is kept

    def _read(self) -> dict[str, Step]:
        found = self._queries.kept_steps(self._attempt.lease.job_id)
        self._created_at_ms = found.created_at_ms
        if self._steps is None:
            self._steps = {step.name: step for step in found.steps}
            self._last_position = max((step.position for step in found.steps), default=0)
        return self._steps

    def _all(self) -> dict[str, Step]:
        if self._steps is None:
            if self._attempt.lease.attempt == 1:  # nothing can have been kept
                self._steps = {}
            else:
                self._read()
        assert self._steps is not None
        return self._steps

    def _find(self, name: str, kind: StepKind) -> Step | None:
        step = self._all().get(name)
        if step is not None and step.kind is not kind:
            raise PermanentError(
                f"{name!r} was kept as a {step.kind}, and is asked for as a {kind} now: "
                "give it another name"
            )
        return step

    def _value_of(self, step: Step) -> Any:
        text = step.result
        if text is None:
            text = self._queries.step_result(self._attempt.lease.job_id, step.name)
        return json.loads(text)

    def _keep(self, step: NewStep, forget: tuple[str, str] | None = None) -> None:
        """Keep a step. Raises JobCancelled if the lease is lost."""
        steps = self._all()
        self._refuse_more(step.name)
        check_cancelled(self._attempt)
        lease = self._attempt.lease
        if not self._queries.keep_step(lease, step, forget):
            raise JobCancelled("the lease on this job was lost: another worker may run it")
        known = None if step.result is None or len(step.result) > _LONG else step.result
        steps[step.name] = Step(
            step.name, step.position, step.kind, StepState.KEPT, known, lease.attempt, 0
        )
        if forget is not None:
            for name in [name for name in steps if forget[0] <= name < forget[1]]:
                del steps[name]

    def _position(self) -> int:
        self._all()
        self._last_position += 1
        return self._last_position

    # Steps

    def kept_step(self, name: str) -> Kept | None:
        """Return the result of a step that is kept."""
        step = self._find(name, StepKind.STEP)
        return None if step is None else Kept(self._value_of(step))

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """The function of a step runs."""
        token = _running_step.set(name)
        try:
            with self._attempt.step_span(name):
                yield
        finally:
            _running_step.reset(token)

    def keep_step(self, name: str, value: Any, began_s: float) -> Any:
        """Keep what the function of a step returned, and return it as later attempts get it."""
        try:
            text = result_text(value)
        except PermanentError as error:
            raise PermanentError(f"step {name!r}: {error}") from None
        took_ms = round((time.monotonic() - began_s) * 1000)
        self._keep(NewStep(name, self._position(), StepKind.STEP, text, took_ms))
        return json.loads(text)

    # Waits

    def sleep(self, name: str, duration: Duration) -> None:
        """Suspend the function, unless it has slept. Raises JobSuspended."""
        delay_ms = _milliseconds(name, duration)
        if self._find(name, StepKind.SLEEP) is None:
            step = NewStep(name, self._position(), StepKind.SLEEP)
            self._suspend(Suspension(step, delay_ms))

    def wait_signal(
        self, name: str, signal_name: str, key: str | int, timeout: Duration | None
    ) -> Any:
        """Return the payload of a signal, or suspend the function. Raises SignalTimeout."""
        signal = new_signal(signal_name, key, None)
        delay_ms = None if timeout is None else _milliseconds(name, timeout)
        step = self._find(name, StepKind.SIGNAL)
        if step is not None and step.state is StepState.TIMED_OUT:
            within = "in time" if timeout is None else f"within {timeout}"
            raise SignalTimeout(
                f"the signal {signal.name!r} of key {signal.key!r} did not come {within}"
            )
        if step is not None and step.state is StepState.KEPT:
            return self._value_of(step)
        position = self._position() if step is None else step.position
        wait = NewStep(name, position, StepKind.SIGNAL, None, 0, signal.name, signal.key)
        if step is None:
            payload = self._queries.signal_payload(signal.name, signal.key)
            if payload is not None:
                self._keep(wait._replace(result=payload))
                return json.loads(payload)
        return self._suspend(Suspension(wait, delay_ms))

    def wait_name(self, name: str) -> str:
        """Return the full name of a wait, as `name` does. Only the function's own thread waits."""
        if threading.get_ident() != self._thread:
            raise PermanentError(
                f"{name!r}: a thread that the job started cannot wait; wait in the function of the "
                "job"
            )
        return self.name(name)

    def _suspend(self, wait: Suspension) -> NoReturn:
        self._refuse_more(wait.step.name)
        self._attempt.suspension = wait
        raise JobSuspended(wait.step.name)

    def _refuse_more(self, name: str) -> None:
        steps = self._all()
        if name not in steps and len(steps) >= MAX_STEPS:
            raise PermanentError(f"step {name!r}: a job keeps at most {MAX_STEPS:,} steps")

    # Children

    def gather(self, name: str, jobs: Sequence[JobRequest], traceparent: str | None) -> list[Any]:
        """Return the results of jobs, ChildFailed for each that failed, or suspend the function."""
        if not jobs:
            return []
        step = self._find(name, StepKind.GATHER)
        if step is None:
            children = self._checked(name, jobs, traceparent)
            wait = NewStep(name, self._position(), StepKind.GATHER)
            self._suspend(Suspension(wait, children=children))
        found = {child.id: child for child in self._queries.gathered(step.children)}
        if any(child.status not in _ENDED for child in found.values()):
            self._suspend(Suspension(NewStep(name, step.position, StepKind.GATHER)))
        failed = self._failed(step, found)
        return [
            failed[child] if child in failed else json.loads(found[child].result or "null")
            for child in step.children
        ]

    def results(self, results: list[Any], *, return_errors: bool) -> list[Any]:
        """Return the results of a gather. Raises ChildFailed for the first that failed."""
        failed = tuple(result for result in results if isinstance(result, ChildFailed))
        if failed and not return_errors:
            failed[0].failed = failed
            raise failed[0]
        return results

    def _checked(
        self, name: str, jobs: Sequence[JobRequest], traceparent: str | None
    ) -> tuple[NewJob, ...]:
        children: list[NewJob] = []
        checked = ChildJobs(children)
        for job in jobs:
            if not isinstance(job, JobRequest):
                raise PermanentError(
                    f"gather {name!r}: {job!r} is not a job: make one with .new(…)"
                )
            checked.add(job, self._queries.prepare_child, traceparent)
        return tuple(children)

    def _failed(self, step: Step, found: Mapping[int, Dependency]) -> dict[int, ChildFailed]:
        """Return the children that did not end done, as the function has seen them first."""
        if step.state is StepState.KEPT:
            kept = self._value_of(step)["failed"]
            return {
                child: ChildFailed(child, job_type, JobError(*error))
                for child, job_type, error in kept
            }
        failed = {
            child: _failure(child, found.get(child))
            for child in step.children
            if child not in found or found[child].status is not Status.DONE
        }
        if failed:
            rows = [
                (child, error.type, (error.error.type, error.error.message[:_MOST_CHARS]))
                for child, error in failed.items()
            ]
            text = json.dumps({"failed": rows})
            self._keep(NewStep(step.name, step.position, StepKind.GATHER, text))
        return failed

    # Cursors

    def cursor(self, name: str) -> "Cursor":
        """Return the cursor of a name."""
        step = self._find(name, StepKind.CURSOR)
        state = {} if step is None else self._value_of(step)
        return Cursor(self, name, next(_numbers), state)

    def iterate(
        self, cursor: "Cursor", items: Iterable[Any] | Callable[[Any], Iterable[Any]]
    ) -> Iterator[Any]:
        """Yield the items of a cursor that are not done."""
        if cursor.has_ended:
            return
        source = iter(cursor.source(items))
        for n in range(cursor.passed_over(items)):
            cursor.check_passed(n, next(source, cursor.MISSING))
        try:
            for item in source:
                cursor.begin(item)
                yield item
                cursor.end()
        finally:
            cursor.close()
        cursor.finish()

    def store_cursor(self, cursor: "Cursor") -> None:
        """Keep how far a cursor has come, and forget the steps of its last item."""
        state = {
            "done": cursor.done,
            "last": cursor.last,
            "mark": cursor.mark,
            "ended": cursor.has_ended,
        }
        step = self._all().get(cursor.name)
        position = self._position() if step is None else step.position
        inside = cursor.inside(cursor.done - 1)
        forget = (inside, inside[:-1] + "!")
        self._keep(NewStep(cursor.name, position, StepKind.CURSOR, payload_text(state)), forget)

    def enter(self, cursor: "Cursor") -> None:
        """Let the steps that follow belong to the item of a cursor."""
        self._cursors.pop(cursor.number, None)
        self._cursors[cursor.number] = cursor.inside(cursor.done).removeprefix(self._scope)
        if cursor.number not in _open_cursors.get():
            still_open = (number for number in _open_cursors.get() if number in self._cursors)
            _open_cursors.set((*still_open, cursor.number))

    def leave(self, cursor: "Cursor") -> None:
        """Let the steps that follow belong to no item of a cursor."""
        if self._cursors.pop(cursor.number, None) is not None:
            self._used.pop(cursor.inside(cursor.done), None)


class Cursor:
    """How far the items of `ctx.resume` are done.

    The steps of an item have names that begin with the cursor's and the item's number. They no
    longer do once the loop is left, by a `break` too: then the cursor is deleted.
    """

    MISSING = object()
    """Stands for an item that is not there."""

    def __init__(
        self, function: DurableFunction, name: str, number: int, state: Mapping[str, Any]
    ) -> None:
        """`state`: as `store_cursor` kept it. `number`: no other cursor of the process has it."""
        self.name = name
        self.number = number
        self.done: int = state.get("done", 0)
        self.last: Any = state.get("last")
        self.mark: str | None = state.get("mark")
        """A digest of the last item that was done, if it is JSON."""
        self.has_ended: bool = state.get("ended", False)
        self._function = function
        self._item: Any = None
        self.is_open = False
        self._keeps_items = False

    def inside(self, number: int) -> str:
        """Return what the names of the steps of an item begin with."""
        return f"{self.name}[{number}] "

    def source(self, items: Any) -> Any:
        """Return what is left to iterate over."""
        if callable(items):
            self._keeps_items = True
            return items(self.last)
        if isinstance(items, Sequence):
            if self.done:
                self.check_passed(
                    self.done - 1, items[self.done - 1] if len(items) >= self.done else self.MISSING
                )
            return items[self.done :]
        return items

    def check_passed(self, n: int, item: Any) -> None:
        """Raise PermanentError if item `n`, which was done, is not there or is another one now."""
        is_last = n == self.done - 1
        if item is self.MISSING or (is_last and self.mark and _mark_of(item) != self.mark):
            raise PermanentError(
                f"resume {self.name!r}: {self.done:,} items are done, but the items have changed: "
                "pass the same items in each attempt, or a function of the last item"
            )

    def passed_over(self, items: Any) -> int:
        """Return how many items of `source(items)` are done already."""
        return 0 if callable(items) or isinstance(items, Sequence) else self.done

    def begin(self, item: Any) -> None:
        """An item is handed to the loop."""
        self._item, self.is_open = item, True
        self._function.enter(self)

    def end(self) -> None:
        """The loop asks for the next item: keep that the one before it is done."""
        if not self.is_open:
            return
        self.close()
        self.done += 1
        if self._keeps_items:
            self.last = json.loads(result_text(self._item))
        else:
            self.mark = _mark_of(self._item)
        self._function.store_cursor(self)

    def finish(self) -> None:
        """There are no more items."""
        self.has_ended = True
        self._function.store_cursor(self)

    def close(self) -> None:
        """The loop is left, or goes on."""
        self.is_open = False
        self._function.leave(self)

    def __del__(self) -> None:
        self._function.leave(self)


_numbers = count()
_NUMBER = re.compile(r"#\d+$")
_MOST_CHARS = 500
"""Of the error of a child that is kept."""
_LONG = 4096
"""Longer results are read again when they are asked for, as `kept-steps` leaves them out."""
_ENDED = (Status.DONE, Status.FAILED, Status.CANCELLED)


def new_signal(name: object, key: object, payload: object) -> NewSignal:
    """Return a signal to send. Raises PermanentError, which names the field."""
    try:
        return domain.new_signal(name, key, payload_text(payload))
    except (InvalidJob, TooLarge) as error:
        raise PermanentError(f"signal {name!r}: {error}") from None


def _mark_of(item: object) -> str | None:
    try:
        return sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:16]
    except (TypeError, ValueError, RecursionError):
        return None


def _failure(child: int, job: Dependency | None) -> ChildFailed:
    if job is None:
        return ChildFailed(child, "?", JobError("Deleted", "it was deleted"))
    if job.status is Status.CANCELLED:
        return ChildFailed(child, job.type, JobError("Cancelled", "it was cancelled"))
    return ChildFailed(child, job.type, job.error or JobError("Error", "it failed"))


def _milliseconds(name: str, duration: Duration) -> int:
    try:
        return round(parse_duration_s(duration) * 1000)
    except ValueError as error:
        raise PermanentError(f"{name!r}: {error}") from None
