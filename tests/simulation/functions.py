"""Durable functions: what their code does, which stands in the payload, and what must hold of them.

A function is a list of calls, `[what, …]`; the n-th is kept under the name `what n`. It runs as in
worker/attempt/durable.py: what is kept is passed over, and what is not there yet ends the attempt.
"""

import json
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from orpheus.shared.domain.jobs import Lease, NewJob, Status
from orpheus.shared.domain.steps import (
    NewSignal,
    NewStep,
    Signal,
    Step,
    StepKind,
    StepState,
    Suspension,
)
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import Store
from tests.simulation.engine import Simulation, Steps, Wait
from tests.simulation.histories import LIVE, EffectLog, Fold, check
from tests.simulation.world import Tables

SIGNAL = "approved"
KEYS = ("a", "b", "c", "d")
NOT_SENT_BY_CLIENTS = "e"
"""Only sent once the faults are over: who waits for it without a timeout waits until then."""
_RETRY_DATABASE_MS = 50
_CALLS = (
    ["step", 10],
    ["step", 400],
    ["sleep", 1_500],
    ["signal", "a", None],
    ["signal", "b", 3_000],
    ["signal", "b", None],
    ["signal", "c", 600],
    ["signal", "d", 2_000],
    ["signal", NOT_SENT_BY_CLIENTS, 1_000],
    ["gather", 2, "ok"],
    ["gather", 3, "hopeless"],
    ["gather", 2, "function"],
    ["resume", 3],
    ["fails", 1],
)
_TIMED_OUT = (
    "SELECT job_id, name, until_ms FROM steps "
    "WHERE state = 'waiting' AND kind = 'signal' AND until_ms <= ?"
)
WAITED_FOR = (
    "SELECT DISTINCT key FROM steps WHERE state = 'waiting' AND kind = 'signal' "
    "AND until_ms IS NULL ORDER BY key"
)
_STEPS = "SELECT job_id, name, kind, state, result, children FROM steps"
_NOT_SENT = (
    "NOT EXISTS (SELECT 1 FROM signals WHERE signals.name = signal AND signals.key = steps.key)"
)
_CHILDREN_OF = "SELECT payload ->> 'name', payload ->> 'token', id FROM jobs WHERE type LIKE 'kid%'"


def draw_calls(chance: random.Random, most: int = 5) -> list[list[Any]]:
    """Return what a function does."""
    return [chance.choice(_CALLS) for _ in range(chance.randint(1, most))]


@dataclass(slots=True)
class FunctionLog:
    """What functions produced and were told, without the help of the store."""

    produced: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    """Results that a step was asked to be kept with, by job and name."""
    payloads: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """What was sent as signals: each of them may be the first."""
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    """The payloads of signals, as clients were told."""
    retried_from: Counter[int] = field(default_factory=Counter)
    """How often an operator may have let a job forget steps."""
    outcomes: dict[tuple[int, int, str], tuple[Any, ...]] = field(default_factory=dict)
    """What is kept, by job, how often an operator has retried it, and name."""

    def sends(self, signal: NewSignal) -> NewSignal:
        """Note a signal that is about to be sent."""
        self.payloads.setdefault((signal.name, signal.key), set()).add(signal.payload)
        return signal

    def answered(self, sent: Signal, *, is_new: bool) -> None:
        """The first payload stays."""
        first = self.first.setdefault((sent.name, sent.key), sent.payload)
        check(first == sent.payload, "I29 the payload of a signal changed", first, sent, is_new)

    def look(self, tables: Tables, fold: Fold) -> None:
        """Check what is committed, after any step of an actor."""
        nothing_waits_for_what_is_there(tables)
        for job_id, name, kind, state, result, children in tables.look(_STEPS):
            if job_id not in fold.jobs:
                continue
            if kind in ("step", "signal", "sleep") and state != "waiting":
                outcome: tuple[Any, ...] = (kind, state, result)
            elif kind == "gather":
                outcome = (kind, children)
            else:
                continue
            life = (job_id, fold.jobs[job_id].retried, name)
            before = self.outcomes.setdefault(life, outcome)
            is_item = "[" in name  # a cursor forgets the steps of its items, and may do them again
            check(before == outcome or is_item, "I25 what was kept changed", life, before, outcome)
            if kind == "step":
                known = self.produced.get((job_id, name), set())
                check(result in known, "I25 kept, though not produced", life, result)


def nothing_waits_for_what_is_there(tables: Tables) -> None:
    """Of signals that were sent, and of jobs that a blocked function waits for."""
    rows = tables.look(
        "SELECT job_id, steps.name FROM steps JOIN signals ON signals.name = signal "
        "AND signals.key = steps.key WHERE state = 'waiting' AND kind = 'signal' AND wakes = 0"
    )
    check(not rows, "I24 waits for a signal that was sent", rows)
    rows = tables.look(
        "SELECT id, waits_for, n FROM (SELECT id, waits_for, "
        "(SELECT count(*) FROM steps WHERE job_id = id AND kind = 'signal' AND state = 'waiting') "
        "+ (SELECT count(*) FROM job_dependencies AS one JOIN jobs AS other "
        "ON other.id = one.depends_on WHERE one.job_id = jobs.id AND waits = 1 "
        "AND (other.status IN ('blocked', 'pending', 'in_progress') "
        "OR other.id IN (SELECT job_id FROM cascades))) AS n "
        "FROM jobs WHERE status = 'blocked' AND type LIKE '%function') AS found "
        "WHERE waits_for <> n"
    )
    check(not rows, "I18 a function waits for another number of things than are there", rows)


def no_wait_is_overdue(simulation: Simulation, store: Store) -> None:
    """Directly after upkeep found none."""
    now_ms = store.clock.wall_ms()
    rows = simulation.world.look(f"{_TIMED_OUT} AND {_NOT_SENT}", now_ms)
    check(not rows, "I26 waits past its timeout", rows, now_ms)


class Function:
    """The code of one attempt. It notes in `log` what it does."""

    def __init__(
        self,
        simulation: Simulation,
        effects: EffectLog,
        log: FunctionLog,
        store: Store,
        lease: Lease,
        calls: list[list[Any]],
    ) -> None:
        self._simulation = simulation
        self._effects = effects
        self._log = log
        self._store = store
        self._lease = lease
        self._calls = calls
        self._kept: dict[str, Step] = {}
        self.suspension: Suspension | None = None
        self.has_failed = False

    def run(self) -> Generator[Wait, None, None]:
        """Run until it ends, fails or waits."""
        store, job_id = self._store, self._lease.job_id
        found = yield from self._asked(lambda: store.steps.kept(job_id))
        self._kept = {step.name: step for step in found.steps}
        for position, (what, *arguments) in enumerate(self._calls, start=1):
            yield from getattr(self, f"_{what}")(f"{what} {position}", position, *arguments)
            if self.suspension is not None or self.has_failed:
                return

    def _asked(self, ask: Any) -> Generator[Wait, None, Any]:
        while True:
            try:
                return ask()
            except StorageError:
                yield Wait(_RETRY_DATABASE_MS)

    def _keep(
        self, step: NewStep, forget: tuple[str, str] | None = None
    ) -> Generator[Wait, None, None]:
        """I5: exactly what is kept under a valid lease is kept."""
        lease, store = self._lease, self._store

        def keep() -> bool:
            with store.write(durable=True):
                undisturbed = self._simulation.undisturbed()
                sql = "SELECT lease_token FROM jobs WHERE id = ? AND status = 'in_progress'"
                row = store._database.one(sql, lease.job_id)
                is_held = row == (lease.token,) and self._effects.is_valid(lease.token)
                kept = store.steps.keep(lease, step, forget)
                agrees = kept == is_held or not undisturbed()
                check(agrees, "I5 a step was kept without a lease", lease, step.name, kept)
            return kept

        if step.kind is StepKind.STEP:
            self._log.produced.setdefault((lease.job_id, step.name), set()).add(step.result or "")
        kept = yield from self._asked(keep)
        self.has_failed = not kept
        if kept:
            self._simulation.note("keeps", (lease.job_id, step.name))

    # Its calls

    def _step(self, name: str, position: int, ms: int) -> Steps:
        if name not in self._kept:
            yield Wait(ms)
            result = json.dumps({"token": self._lease.token, "at": self._simulation.clock.now_ms})
            yield from self._keep(NewStep(name, position, StepKind.STEP, result, ms))

    def _fails(self, name: str, position: int, times: int) -> Steps:
        self.has_failed = self._lease.failures < times and name not in self._kept
        if not self.has_failed:
            yield from self._step(name, position, 0)

    def _sleep(self, name: str, position: int, ms: int) -> Steps:
        if name not in self._kept:
            self.suspension = Suspension(NewStep(name, position, StepKind.SLEEP), ms)
        yield from ()

    def _signal(self, name: str, position: int, key: str, timeout_ms: int | None) -> Steps:
        step = self._kept.get(name)
        if step is not None and step.state is not StepState.WAITING:
            is_right = step.result in self._log.payloads.get((SIGNAL, key), set())
            is_right |= step.state is StepState.TIMED_OUT and step.result is None
            check(is_right, "I25 another payload than was sent", self._lease.job_id, step)
            return
        wait = NewStep(name, position, StepKind.SIGNAL, signal=SIGNAL, key=key)
        if step is None:
            sent = yield from self._asked(lambda: self._store.signals.find(SIGNAL, key))
            if sent is not None:
                yield from self._keep(wait._replace(result=sent.payload))
                return
        yield Wait(0)
        self.suspension = Suspension(wait, timeout_ms)

    def _gather(self, name: str, position: int, n: int, does: str) -> Steps:
        step = self._kept.get(name)
        wait = NewStep(name, position, StepKind.GATHER)
        if step is None:
            children = tuple(self._child(name, index, does) for index in range(n))
            self.suspension = Suspension(wait, children=children)
            return
        found = yield from self._asked(lambda: self._store.steps.children(step.children))
        if any(child.status in LIVE for child in found):
            children = tuple(self._child(name, index, does) for index in range(n))
            self.suspension = Suspension(wait, children=children)  # none is made again
            return
        failed = [child.id for child in found if child.status is not Status.DONE]
        if failed and step.state is StepState.WAITING:
            yield from self._keep(wait._replace(result=json.dumps({"failed": failed})))

    def _child(self, name: str, index: int, does: str) -> NewJob:
        payload: dict[str, Any] = {"does": does, "ms": 20, "children": 0}
        payload |= {"name": f"{self._lease.job_id} {name}", "token": self._lease.token}
        if does == "function":
            payload["calls"] = [["step", 10], ["gather", 1, "ok"]]
        return NewJob(
            "kid_function" if does == "function" else "kid",
            json.dumps(payload | {"index": index}),
            max_retries=index % 2,
        )

    def _resume(self, name: str, position: int, n: int) -> Steps:
        step = self._kept.get(name)
        done = 0 if step is None else int(json.loads(step.result or "0"))
        for item in range(done, n):
            inside = f"{name}[{item}] "
            yield from self._step(f"{inside}load", position, 10)
            if not self.has_failed:
                cursor = NewStep(name, position, StepKind.CURSOR, json.dumps(item + 1))
                yield from self._keep(cursor, (inside, f"{inside[:-1]}!"))
            if self.has_failed:
                return


# Once everything has drained


def children_are_there_once(tables: Tables, fold: Fold, log: FunctionLog) -> None:
    """The children of a gather, but for those that an operator let the parent forget."""
    made: dict[str, dict[int, list[int]]] = {}
    for name, token, job_id in tables.look(_CHILDREN_OF):
        made.setdefault(name, {}).setdefault(token, []).append(job_id)
    for name, groups in made.items():
        parent = int(name.split()[0])
        most = 1 + log.retried_from[parent]
        check(len(groups) <= most, "I27 children were made twice", name, groups)
    for job_id, name, children in tables.look(
        "SELECT job_id, name, children FROM steps WHERE kind = 'gather'"
    ):
        wanted = sorted(child for child in json.loads(children) if child in fold.jobs)
        groups = made.get(f"{job_id} {name}", {})
        is_made = not wanted or wanted in [sorted(ids) for ids in groups.values()]
        check(is_made, "I27 other children", name, groups)


def no_child_outlives_a_cancelled_parent(tables: Tables) -> None:
    """Unless an operator has retried it, or upkeep is still to reach it."""
    rows = tables.look(
        "SELECT parent.id, child.id "
        "FROM job_dependencies JOIN jobs AS parent ON parent.id = job_id "
        "JOIN jobs AS child ON child.id = job_dependencies.depends_on "
        "WHERE job_dependencies.child = 'own' AND parent.status = 'cancelled' "
        "AND child.cancel_requested = 0 "
        "AND child.status IN ('blocked', 'pending', 'in_progress') "
        "AND parent.id NOT IN (SELECT job_id FROM cascades) AND NOT EXISTS (SELECT 1 FROM events "
        "WHERE job_id = child.id AND kind = 'job.requeued')"
    )
    check(not rows, "I28 a child of a cancelled function lives on", rows)
