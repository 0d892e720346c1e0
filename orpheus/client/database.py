"""The methods of a client on the database itself. They work with every program of Orpheus stopped.

A job is admitted as the API admits it: its body is read, checked against the stored schema of its
type and stored in one commit, which rings the workers.

A client cannot listen to a doorbell: a ring wakes only one listener, which must be a worker. So
`wait` reads the status of its job, an indexed read of 10 us, after 2 ms and then each time after a
twentieth of the time that it has waited. The answer is at most 5 % late, a quarter of a second at
most, and a long wait costs four reads a second.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from orpheus.client.requests import batch_body, one_body, submit_span
from orpheus.client.settings import DatabaseSettings
from orpheus.client.steps import Pause, Steps, Use
from orpheus.shared.domain import jobs as stored
from orpheus.shared.domain.hidden import Hidden
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.steps import NewSignal
from orpheus.shared.errors import TooLarge
from orpheus.shared.explain import answers
from orpheus.shared.explain.facts import Facts, read
from orpheus.shared.job_types.admission import prepare_batch, prepare_job
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.encoding import as_decoded
from orpheus.shared.messages.events import event_of
from orpheus.shared.messages.jobs import (
    Event,
    Job,
    JobGraph,
    LogLine,
    graph_of,
    job_of,
    log_line_of,
)
from orpheus.shared.messages.queues import Queue, Queues, Why
from orpheus.shared.messages.schedules import Schedule, Schedules, schedule_of, schedules_of
from orpheus.shared.messages.steps import JobStep, JobSteps, Signal, signal_of, steps_of
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.storage import (
    PAGE_BYTES,
    Actor,
    JobCursor,
    JobOrder,
    Store,
    TypeRow,
    local_actor,
)

T = TypeVar("T")

_SHORTEST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.25
_PAUSE_SHARE = 0.05


class DatabaseCalls:
    """The calls as steps that use the database."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings

    def submit(self, request: JobRequest) -> Steps[Job]:
        """Store a job; return it, or the live job with its unique key."""
        body = one_body(request)
        _check_size(body, self._settings.max_body_bytes)
        with submit_span(request.type) as traceparent:
            return (yield from _use(partial(self._submit, json.loads(body), traceparent)))

    def _submit(self, fields: dict[str, Any], traceparent: str | None, store: Store) -> Job:
        types = _types(store, [fields["type"]])
        new = prepare_job(types, self._settings.defaults, **fields)
        return _job(store, store.jobs.submit(new._replace(traceparent=traceparent)).job)

    def submit_many(self, requests: Sequence[JobRequest]) -> Steps[list[int]]:
        """Store all jobs or none; return their ids in order."""
        with submit_span(None) as traceparent:
            return (yield from _use(partial(self._submit_many, requests, traceparent)))

    def _submit_many(
        self, requests: Sequence[JobRequest], traceparent: str | None, store: Store
    ) -> list[int]:
        body = batch_body(requests)
        _check_size(body, self._settings.max_batch_body_bytes)
        batch = json.loads(body)["jobs"]
        types = _types(store, {fields["type"] for fields in batch})
        prepare = partial(prepare_job, types, self._settings.defaults)
        new = prepare_batch(batch, lambda fields: prepare(**fields))
        return store.jobs.submit_many([job._replace(traceparent=traceparent) for job in new])

    def get(self, job_id: int) -> Steps[Job]:
        """Return the job with its attempts."""
        return _use(lambda store: _with_attempts(store, job_id))

    def wait(self, job_id: int, timeout_s: float) -> Steps[Job]:
        """Return the job with its attempts once it has ended, or as it is after `timeout_s`."""
        began_s = time.monotonic()
        while True:
            status = yield Use(lambda store: store.jobs.status(job_id))
            waited_s = time.monotonic() - began_s
            if status in TERMINAL or waited_s >= timeout_s:
                return (yield from self.get(job_id))
            yield _pause(waited_s, timeout_s - waited_s)

    def later(self, job_id: int, waited_s: float, left_s: float) -> Steps[Job]:
        """Return the job with its attempts, a moment later: after the pause that `wait` makes."""
        yield _pause(waited_s, left_s)
        return (yield from self.get(job_id))

    def page(
        self, wanted: JobFilter, limit: int, cursor: str | None
    ) -> Steps[tuple[list[Job], str | None]]:
        """Return a page of jobs, newest first, and the cursor of the next."""
        order = JobOrder.ENDED if wanted.by_end else JobOrder.NEWEST
        after = None if cursor is None else JobCursor(*map(int, cursor.split()))

        def read(store: Store) -> tuple[list[Job], str | None]:
            page = store.lists.page(wanted, limit, order=order, cursor=after, most_bytes=PAGE_BYTES)
            next_cursor = page.next_cursor and " ".join(map(str, page.next_cursor))
            hidden = store.hidden.rules()
            return [_shown(job, hidden) for job in page.jobs], next_cursor

        return _use(read)

    def cancel(self, job_id: int, reason: str | None) -> Steps[Job]:
        """Cancel the job, or ask its worker to stop."""
        return _use(lambda store: _job(store, store.jobs.cancel(job_id, _actor(reason))[0]))

    def retry(self, job_id: int, from_step: str | None, reason: str | None) -> Steps[Job]:
        """Run a failed or cancelled job again."""
        return _use(lambda store: _job(store, store.jobs.retry(job_id, _actor(reason), from_step)))

    def run_now(self, job_id: int, reason: str | None) -> Steps[Job]:
        """Make a pending job due now."""
        return _use(lambda store: _job(store, store.jobs.run_now(job_id, _actor(reason))))

    def delete(self, job_id: int, reason: str | None) -> Steps[None]:
        """Delete a job that has ended."""
        return _use(lambda store: store.jobs.delete(job_id, _actor(reason)))

    def signal(self, new: NewSignal) -> Steps[Signal]:
        """Send a signal, or return it as it was sent first."""

        def send(store: Store) -> Signal:
            signal, is_new = store.signals.send(new)
            return as_decoded(signal_of(signal, store.hidden.rules(), is_new=is_new), Signal)

        return _use(send)

    def steps(self, job_id: int) -> Steps[list[JobStep]]:
        """Return what the job has kept, oldest first."""

        def read(store: Store) -> list[JobStep]:
            with store.snapshot():
                store.jobs.get(job_id)
                rows, most_chars = store.steps.shown(job_id)
                rules = store.hidden.of_job(job_id)
            return as_decoded(steps_of(rows, most_chars, rules), JobSteps).items

        return _use(read)

    def why(self, job_id: int) -> Steps[Why]:
        """Return why the job does not run."""

        def read(store: Store) -> Why:
            facts = self._facts(store, {store.jobs.get(job_id).queue})
            return as_decoded(answers.why_of(store, facts, job_id), Why)

        return _use(read)

    def queues(self) -> Steps[list[Queue]]:
        """Return every queue, by name."""

        def read(store: Store) -> list[Queue]:
            found = filter(answers.is_known, answers.queues_of(self._facts(store)))
            return as_decoded(Queues([*found]), Queues).items

        return _use(read)

    def _facts(self, store: Store, only: Collection[str] | None = None) -> Facts:
        settings = self._settings
        dead_after_s = settings.beat_timeout_s
        workers = workers_of(store, supervised_on=None, beat_timeout_s=dead_after_s)
        pools = settings.storage.pools
        return read(store, workers, pools, dead_after_s, settings.waits_long_s, only=only)

    def graph(self, job_id: int) -> Steps[JobGraph]:
        """Return the jobs around the job."""

        def read(store: Store) -> JobGraph:
            with store.snapshot():
                return as_decoded(graph_of(store.graphs.around(job_id)), JobGraph)

        return _use(read)

    def schedules(self) -> Steps[list[Schedule]]:
        """Return every schedule, by name."""
        return _use(lambda store: as_decoded(schedules_of(store), Schedules).items)

    def put_schedule(self, name: str, body: bytes) -> Steps[Schedule]:
        """Add or change a schedule of a program."""
        from orpheus.shared.operations.schedules import put_schedule  # noqa: PLC0415 - seldom used

        _check_size(body, self._settings.max_body_bytes)
        fields = json.loads(body)
        actor = _actor(fields.pop("reason", None))

        def put(store: Store) -> Schedule:
            put_schedule(store, actor, self._settings.defaults, name, fields)
            return as_decoded(schedule_of(store, store.schedules.get(name)), Schedule)

        return _use(put)

    def delete_schedule(self, name: str, reason: str | None) -> Steps[None]:
        """Delete a schedule of a program."""
        from orpheus.shared.operations.schedules import remove_schedule  # noqa: PLC0415 - seldom used

        return _use(lambda store: remove_schedule(store, _actor(reason), name))

    def lines(self, job_id: int, after: int, limit: int) -> Steps[list[LogLine]]:
        """Return some lines of the job's log, oldest first."""

        def read(store: Store) -> list[LogLine]:
            with store.snapshot():
                store.jobs.get(job_id)  # an unknown job raises NotFound
                lines = store.logs.after(job_id, after, limit)
                rules = store.hidden.of_job(job_id)
            return [as_decoded(log_line_of(line, rules), LogLine) for line in lines]

        return _use(read)

    def happened(self, job_id: int, after: int, limit: int) -> Steps[list[Event]]:
        """Return some events of the job, oldest first."""

        def read(store: Store) -> list[Event]:
            with store.snapshot():
                store.jobs.get(job_id)
                events = store.events.of_job(job_id, limit, after)
            return [as_decoded(event_of(event), Event) for event in events]

        return _use(read)


def _use(work: Callable[[Store], T]) -> Steps[T]:
    """Return what `work` returns for the database."""
    result: T = yield Use(work)
    return result


def _pause(waited_s: float, left_s: float) -> Pause:
    pause_s = min(max(_PAUSE_SHARE * waited_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
    return Pause(min(pause_s, left_s))


def _types(store: Store, names: Iterable[str]) -> dict[str, TypeRow]:
    """Return the types of these names; every type if one is unknown, to name a similar one."""
    found = {name: store.types.get(name) for name in names}
    known = {name: row for name, row in found.items() if row is not None}
    return known if len(known) == len(found) else {row.name: row for row in store.types.all()}


def _with_attempts(store: Store, job_id: int) -> Job:
    with store.snapshot():
        job, attempts = store.jobs.get(job_id), store.jobs.attempts(job_id)
        has_steps, hidden = store.steps.any(job_id), store.hidden.rules()
    return as_decoded(job_of(job, attempts, hidden, has_steps=has_steps), Job)


def _job(store: Store, job: stored.Job) -> Job:
    return _shown(job, store.hidden.rules())


def _shown(job: stored.Job, hidden: Hidden) -> Job:
    return as_decoded(job_of(job, (), hidden), Job)


def _actor(reason: str | None) -> Actor:
    return local_actor("client", reason)


def _check_size(body: bytes, most_bytes: int) -> None:
    if len(body) > most_bytes:
        raise TooLarge(f"the job is larger than {most_bytes} bytes (api.max_body)")
