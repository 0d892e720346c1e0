"""What durable functions keep, and what they wait for (docs/adr/0041).

A step is kept by a transaction of its own, fenced by the lease. What a function waits for is stored
by the transaction that ends its attempt: see `suspend`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orpheus.shared.domain.jobs import Dependency, Lease
from orpheus.shared.domain.steps import (
    KeptSteps,
    NewStep,
    Step,
    StepKind,
    StepState,
    Suspension,
)
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.enqueue import Enqueue, keys_of
from orpheus.shared.storage.verbs.rows import dependency_of
from orpheus.shared.storage.verbs.signals import Signals

_SHOWN_CHARS = 65_536
_SHOWN_CHARS_OF_ALL = 16_777_216
"""All results that are shown together must fit into memory."""


class Wait(NamedTuple):
    """For what a suspended job waits: `waits_for` > 0: it is blocked, else it is pending."""

    waits_for: int = 0
    run_at_ms: int | None = None


class Steps:
    """Keeps the steps of jobs, and suspends their functions."""

    def __init__(
        self, database: Database, dependencies: Dependencies, enqueue: Enqueue, signals: Signals
    ) -> None:
        self._database = database
        self._dependencies = dependencies
        self._enqueue = enqueue
        self._signals = signals
        self._sql = database.sql("steps.sql")

    # Reading

    def of(self, job_id: int, most_chars: int = 2**31 - 1) -> list[Step]:
        """Return what a job has kept, in order; of each result at most so many characters."""
        return [_step(row) for row in self._database.all(self._sql["steps-of"], job_id, most_chars)]

    def any(self, job_id: int) -> bool:
        """Return whether a job has kept anything."""
        return self._database.one(self._sql["has-steps"], job_id) is not None

    def last_wait(self, job_id: int) -> Step | None:
        """Return the last sleep, wait for a signal or gather of a job, without its result."""
        row = self._database.one(self._sql["last-wait"], job_id)
        return None if row is None else _step(row)

    def shown(self, job_id: int) -> tuple[list[Step], int]:
        """Return what a job has kept, to show it, and how many characters of a result to show.

        A result with more is cut, one character behind that.
        """
        steps = len(self.of(job_id, 0))
        most_chars = min(_SHOWN_CHARS, _SHOWN_CHARS_OF_ALL // max(steps, 1))
        return self.of(job_id, most_chars + 1), most_chars

    def kept(self, job_id: int) -> KeptSteps:
        """Return what a job has kept, for the worker that runs it."""
        rows = self._database.all(self._sql["kept-steps"], job_id)
        created_at_ms = self._database.value(self._sql["created"], job_id)
        return KeptSteps(created_at_ms, [_step(row) for row in rows])

    def result(self, job_id: int, name: str) -> str:
        """Return the result of a kept step as JSON text."""
        return str(self._database.value(self._sql["result-of"], job_id, name))

    def children(self, job_ids: Iterable[int]) -> list[Dependency]:
        """Return jobs that a function has gathered, as they are now; those that are gone, not."""
        rows = self._database.all(self._sql["children"], json.dumps(list(job_ids)))
        return [dependency_of(row) for row in rows]

    # By the worker

    def keep(self, lease: Lease, step: NewStep, forget: tuple[str, str] | None = None) -> bool:
        """Keep a step, if the lease is still held; False, and nothing is changed, if it is lost.

        A wait that was stored becomes kept, and a cursor moves on. `forget`: also delete the steps
        with names from the first to before the second.
        """
        clock = self._database.clock
        with self._database.write(durable=True):
            held = (lease.job_id, lease.token, clock.monotonic_ms(), clock.boot_id)
            row = self._database.one(self._sql["held"], *held)
            if row is None:
                return False
            if row[0]:
                self._database.run(self._sql["reset-patience"], lease.job_id, lease.token)
            self._store(lease.job_id, lease.attempt, step, StepState.KEPT)
            if forget is not None:
                self._database.run(self._sql["delete-between"], lease.job_id, *forget)
            self._database.at_commit.ring_api()
        return True

    def suspend(self, job_id: int, attempt: int, wait: Suspension, now_ms: int) -> Wait:
        """Store what a job waits for, inside the transaction that ends its attempt."""
        step = wait.step
        if step.kind is StepKind.SLEEP:
            until_ms = now_ms + (wait.delay_ms or 0)
            self._store(job_id, attempt, step, StepState.KEPT, until_ms)
            return Wait(0, until_ms)
        if step.kind is StepKind.SIGNAL:
            return self._wait_for_signal(job_id, attempt, wait, now_ms)
        return self._wait_for_children(job_id, attempt, wait, now_ms)

    def _wait_for_signal(self, job_id: int, attempt: int, wait: Suspension, now_ms: int) -> Wait:
        step = wait.step
        sent = self._signals.find(step.signal or "", step.key or "")  # locked: none comes meanwhile
        if sent is not None:
            self._store(job_id, attempt, step._replace(result=sent.payload), StepState.KEPT)
            return Wait(0, now_ms)
        until_ms = None if wait.delay_ms is None else now_ms + wait.delay_ms
        stored = self._database.one(self._sql["one-step"], job_id, step.name)
        if stored is None:
            self._store(job_id, attempt, step, StepState.WAITING, until_ms)
        elif stored[0] != StepState.WAITING:  # it has timed out: nobody would wake the job
            return Wait(0, now_ms)
        return Wait(1)

    def _wait_for_children(self, job_id: int, attempt: int, wait: Suspension, now_ms: int) -> Wait:
        stored = self._database.one(self._sql["one-step"], job_id, wait.step.name)
        if stored is None:
            new_keys = keys_of(wait.children)
            others = {holder.id for holder in self._enqueue.holders_of(new_keys).values()}
            ids = self._enqueue.keep(wait.children)
            self._store(job_id, attempt, wait.step, StepState.WAITING, children=ids)
            rows = [
                (job_id, child, "other" if child in others else "own")
                for child in dict.fromkeys(ids)
            ]
            self._database.run_many(self._sql["name-child"], rows)
        waits_for = self._dependencies.wait_for_live(job_id)
        return Wait(waits_for, None if waits_for else now_ms)

    def _store(
        self,
        job_id: int,
        attempt: int,
        step: NewStep,
        state: StepState,
        until_ms: int | None = None,
        children: Sequence[int] | None = None,
    ) -> None:
        self._database.run(
            self._sql["keep"],
            job_id,
            step.name,
            step.position,
            step.kind.value,
            state.value,
            step.result,
            attempt,
            self._database.clock.wall_ms(),
            step.took_ms,
            until_ms,
            step.signal,
            step.key,
            None if children is None else json.dumps(children),
        )

    # By operators

    def sleeps_until_ms(self, job_id: int) -> int | None:
        """Return when the last sleep of a job ends or ended; None: it has none."""
        until_ms: int | None = self._database.value(self._sql["latest-sleep"], job_id)
        return until_ms

    def wake(self, job_id: int) -> None:
        """End the sleep of a job that is run now."""
        self._database.run(self._sql["wake"], self._database.clock.wall_ms(), job_id)

    def look_again(self, job_id: int) -> None:
        """Let a job that is retried look again how its children ended, and wait anew."""
        self._database.run(self._sql["look-again"], job_id)
        self._database.run(self._sql["wait-anew"], job_id)

    def forget_from(self, job_id: int, name: str) -> int:
        """Forget a step of a job that is retried, and those kept after it; return how many."""
        rows = self._database.all(self._sql["steps-from"], job_id, name)
        children = [(job_id, child) for row in rows for child in json.loads(row[1] or "[]")]
        self._database.run_many(self._sql["unname-child"], children)
        self._database.run_many(self._sql["forget"], [(job_id, row[0]) for row in rows])
        return len(rows)


def _step(row: Row) -> Step:
    name, position, kind, state, attempt, at_ms, took_ms, until_ms, signal, key, ids, result = row
    return Step(
        name=name,
        position=position,
        kind=StepKind(kind),
        state=StepState(state),
        result=result,
        attempt=attempt,
        at_ms=at_ms,
        took_ms=took_ms,
        until_ms=until_ms,
        signal=signal,
        key=key,
        children=tuple(json.loads(ids or "[]")),
    )
