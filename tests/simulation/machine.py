"""A machine that calls the store's verbs, and those of the model, and compares what they say.

Statuses, attempts, the exact order of leasing, unique keys, dependencies, retries and counts.
"""

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Job, JobError, Lease, NewJob, Status, waits_since_ms
from orpheus.shared.domain.lifecycle import LIVE, TERMINAL, Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.errors import TransitionRefused, UniqueKeyHeld
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import TypeRow
from tests.simulation.model import (
    BASE_MS,
    LONGEST_MS,
    QUARANTINE_AFTER,
    TTL_MS,
    Model,
    ModelJob,
)
from tests.simulation.whys import facts_of, told_of
from tests.simulation.world import World

MACHINE_BACKOFF = BackoffRules(base_s=BASE_MS / 1000, factor=2, max_s=LONGEST_MS / 1000, jitter=0)
QUEUES = ("a", "b", "c")
TYPES = ("sturdy", "fragile")
SNOOZE_MS = 3_000
MOST = 1_000
REMEMBERED = 5  # of the leases given, the newest: some of them lost
_DUE = (
    "SELECT queue, run_at_ms, freed_at_ms FROM jobs "
    "WHERE status = 'pending' AND (is_due = 1 AND is_parked <= 1 OR is_due = 0 AND run_at_ms <= ?)"
)

queues = st.sampled_from(QUEUES)
served = st.sampled_from((("*",), ("*",), ("a",), ("a", "c")))
holders = st.sampled_from([Holder("default-1", "life-1", 1), Holder("default-2", "life-2", 2)])
reported = st.sampled_from(
    [
        Ending.SUCCEEDED,
        Ending.FAILED,
        Ending.FAILED_PERMANENTLY,
        Ending.TIMED_OUT,
        Ending.CANCELLED,
        Ending.SNOOZED,
        Ending.RELEASED,
    ]
)


new_jobs = st.fixed_dictionaries(
    {
        "type": st.sampled_from(TYPES),
        "queue": queues,
        "priority": st.integers(-1, 1),
        "delay_ms": st.sampled_from((0, 0, 0, 1_500)),
        "max_retries": st.integers(0, 2),
        "unique_key": st.sampled_from((None, None, "k", "l")),
        "concurrency_key": st.sampled_from((None, "x", "x", "y")),
        "on_dependency_failure": st.sampled_from(("cancel", "fail", "run")),
        "expires_ms": st.sampled_from((None, None, None, 2_000)),
        "unique_for_ms": st.sampled_from((None, 5_000)),
        "replaces": st.booleans(),
    }
).map(lambda fields: NewJob(**cast("Any", fields)))


class StoreMachine(RuleBasedStateMachine):
    """Each rule calls a verb of the store and of the model, and compares what they answer."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.empty(seed=0)
        self.store = self.world.stores["api"]
        self.store.quarantines.after = QUARANTINE_AFTER
        self.store.types.replace([TypeRow(name, "{}", None, None, None, "") for name in TYPES])
        self.model = Model(self.world.clock.wall_ms())
        self.leases: list[Lease] = []
        self.limits: dict[str, QueueRules] = {}

    def chosen_job(self, data: st.DataObject) -> ModelJob:
        return self.model.jobs[data.draw(st.sampled_from(sorted(self.model.jobs)), "job")]

    def chosen_lease(self, data: st.DataObject) -> Lease:
        return data.draw(st.sampled_from(self.leases[-REMEMBERED:]), "lease")

    # Coming in

    @rule(new=new_jobs, data=st.data())
    def submit(self, new: NewJob, data: st.DataObject) -> None:
        known = sorted(self.model.jobs)
        chosen = st.lists(st.sampled_from(known), max_size=3, unique=True) if known else st.just([])
        depends_on = tuple(data.draw(chosen, "depends_on"))
        self.world.clock.now_ms += 1
        self.model.now_ms = self.world.clock.wall_ms()
        holder = self.model.holder_of(new.unique_key)
        new = new._replace(depends_on=depends_on)
        if holder is not None and holder.type != new.type:
            with pytest.raises(UniqueKeyHeld, match=f"job {holder.id}, "):
                self.store.jobs.submit(new)
            return
        submitted = self.store.jobs.submit(new)
        assert submitted.created == (holder is None)
        if holder is None:
            self.model.add([self._model_of(new, submitted.job.id, depends_on)])
        else:
            assert submitted.job.id == holder.id
            if new.replaces:
                asked = self._model_of(new, holder.id, ())
                self.model.replace(holder, asked.run_at_ms, asked.expires_ms)

    @initialize(items=st.lists(new_jobs, min_size=4, max_size=8), data=st.data())
    def begin_with_some(self, items: list[NewJob], data: st.DataObject) -> None:
        self.submit_batch(items, data)

    @rule(items=st.lists(new_jobs, min_size=2, max_size=4), data=st.data())
    def submit_batch(self, items: list[NewJob], data: st.DataObject) -> None:
        """Each item may wait for earlier ones, whatever their order in the batch."""
        known = sorted(self.model.jobs)
        batch = []
        for index, item in enumerate(items):
            choices: list[int | str] = [f"r{n}" for n in range(index)]
            choices += known
            some = st.lists(st.sampled_from(choices or [""]), max_size=2, unique=True)
            waits = bool(choices) and data.draw(st.sampled_from((False, False, True)), "waits")
            depends_on = tuple(data.draw(some, "depends_on")) if waits else ()
            batch.append(item._replace(unique_key=None, ref=f"r{index}", depends_on=depends_on))
        batch = data.draw(st.permutations(batch), "order")
        ids = self.store.jobs.submit_many(batch)
        refs = {new.ref: job_id for new, job_id in zip(batch, ids, strict=True)}
        self.model.add(
            [
                self._model_of(
                    new,
                    job_id,
                    tuple(refs[one] if isinstance(one, str) else one for one in new.depends_on),
                )
                for new, job_id in zip(batch, ids, strict=True)
            ]
        )

    def _model_of(self, new: NewJob, job_id: int, depends_on: tuple[int, ...]) -> ModelJob:
        run_at_ms = self.model.now_ms + new.delay_ms
        return ModelJob(
            job_id,
            new.queue,
            new.priority,
            run_at_ms,
            new.max_retries,
            new.unique_key,
            new.concurrency_key,
            depends_on,
            new.on_dependency_failure,
            new.type,
            None if new.expires_ms is None else run_at_ms + new.expires_ms,
            self.model.now_ms + (new.unique_for_ms or 0),
        )

    # Leasing

    @precondition(lambda self: self.model.in_status(Status.PENDING))
    @rule(holder=holders, served=served, limit=st.integers(1, 4))
    def lease(self, holder: Holder, served: tuple[str, ...], limit: int) -> None:
        facts = facts_of(self.store, served, limit)
        waiting = self.model.in_status(Status.PENDING, Status.BLOCKED)
        has_expired = bool(self.model.expired())
        runs = told_of(self.store, facts, [job.id for job in waiting], limit)
        leases = self.store.leases.lease(holder, served, limit, TTL_MS)
        leased = {lease.job_id for lease in leases}
        # A lease meets expired jobs, and takes none in their place.
        assert runs == leased or has_expired, "why: others are leased next"
        assert [lease.job_id for lease in leases] == self.model.lease(served, limit)
        for lease in leases:
            job = self.model.jobs[lease.job_id]
            assert lease.attempt == len(job.outcomes) + 1
            assert lease.token > job.token
            job.token, job.holder = lease.token, holder.incarnation
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), ending=reported)
    def finish(self, data: st.DataObject, ending: Ending) -> None:
        lease = self.chosen_lease(data)
        is_held = self.model.holds(lease.job_id, lease.token)
        fails = (Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.TIMED_OUT)
        finished = Finished(
            lease,
            ending,
            "null" if ending is Ending.SUCCEEDED else None,
            JobError("ValueError", "no") if ending in fails else None,
            SNOOZE_MS if ending is Ending.SNOOZED else 0,
        )
        assert self.store.leases.finish([finished]) == (set() if is_held else {lease.token})
        if is_held:
            self.model.end_lease(self.model.jobs[lease.job_id], ending, SNOOZE_MS)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.chosen_lease(data)
        is_held = self.model.holds(lease.job_id, lease.token)
        lost = self.store.leases.renew({lease.job_id: lease.token}, TTL_MS)
        assert lost == (set() if is_held else {lease.token})
        if is_held:
            self.model.jobs[lease.job_id].lease_ends_ms = self.model.now_ms + TTL_MS

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = self.chosen_lease(data)
        self.store.leases.release([lease])
        job = self.model.jobs.get(lease.job_id)
        if job is not None and job.status is Status.IN_PROGRESS and job.token == lease.token:
            self.model.end_lease(job, Ending.UNENTERED)

    @precondition(lambda self: self.model.in_status(Status.IN_PROGRESS))
    @rule(data=st.data(), holder=holders, running=st.booleans())
    def die(self, data: st.DataObject, holder: Holder, running: bool) -> None:
        held = [
            job
            for job in self.model.in_status(Status.IN_PROGRESS)
            if job.holder == holder.incarnation
        ]
        held.sort(key=lambda job: job.token)
        token = data.draw(st.sampled_from([0, *(job.token for job in held)]), "entered last")
        cell = CellState(token, running and token > 0)
        freed = self.store.leases.free(holder.incarnation, cell)
        assert freed == [job.id for job in held]
        for job in held:
            if job.token == token and cell.running:
                self.model.end_lease(job, Ending.CRASHED)
            else:
                was_entered = job.token <= token
                ending = Ending.RESULT_LOST if was_entered else Ending.UNENTERED
                self.model.end_lease(job, ending)

    @precondition(lambda self: self.model.in_status(Status.IN_PROGRESS))
    @rule()
    def reclaim(self) -> None:
        leased = self.model.in_status(Status.IN_PROGRESS)
        expired = [job for job in leased if job.lease_ends_ms <= self.model.now_ms]
        assert sorted(self.store.leases.reclaim_expired()) == sorted(job.id for job in expired)
        for job in expired:
            self.model.end_lease(job, Ending.EXPIRED)

    @precondition(lambda self: self.model.expired())
    @rule()
    def cancel_expired(self) -> None:
        while self.store.jobs.cancel_expired():
            pass
        self.model.cancel_expired()

    # Operators

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self.chosen_job(data)
        if job.status not in LIVE:
            with pytest.raises(TransitionRefused):
                self.store.jobs.cancel(job.id)
            return
        _, at_once = self.store.jobs.cancel(job.id)
        assert at_once == (job.status is not Status.IN_PROGRESS)
        self.model.cancel(job)

    @precondition(lambda self: self.model.in_status(Status.FAILED, Status.CANCELLED))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        ended = self.model.in_status(Status.FAILED, Status.CANCELLED)
        job = data.draw(st.sampled_from(ended), "job")
        if self.model.may_retry(job):
            self.store.jobs.retry(job.id)
            self.model.retry(job)
        else:
            with pytest.raises(TransitionRefused):
                self.store.jobs.retry(job.id)

    @precondition(lambda self: self.model.in_status(Status.PENDING))
    @rule(data=st.data())
    def run_now(self, data: st.DataObject) -> None:
        job = self.chosen_job(data)
        if job.status is Status.PENDING:
            self.store.jobs.run_now(job.id)
            self.model.run_now(job)
        else:
            with pytest.raises(TransitionRefused):
                self.store.jobs.run_now(job.id)

    @precondition(lambda self: self.model.in_status(*TERMINAL))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        job = self.chosen_job(data)
        if self.model.may_delete(job):
            self.store.jobs.delete(job.id)
            del self.model.jobs[job.id]
        else:
            with pytest.raises(TransitionRefused):
                self.store.jobs.delete(job.id)

    @rule(queue=queues, paused=st.booleans())
    def pause(self, queue: str, paused: bool) -> None:
        if paused:
            self.store.queues.pause(queue)
            self.model.paused.add(queue)
        else:
            self.store.queues.resume(queue)
            self.model.paused.discard(queue)

    @rule(queue=queues, most=st.sampled_from((0, 1, 2)), of_key=st.sampled_from((0, 1, 2)))
    def limit(self, queue: str, most: int, of_key: int) -> None:
        self.limits[queue] = QueueRules(max_running=most, per_key=KeyRules(of_key))
        self.model.max_running[queue] = most
        self.model.max_running_per_key[queue] = of_key
        self.store.queues.configure(self.limits)
        while self.store.keys.continue_sweep():
            pass

    @precondition(lambda self: self.model.quarantined)
    @rule(data=st.data(), at_once=st.sampled_from((1, 100)))
    def release_type(self, data: st.DataObject, at_once: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.quarantined)), "type")
        self.store.quarantines.most_at_once = at_once
        met_by_a_lease = self.world.look("SELECT id, type FROM jobs WHERE is_parked = 2")
        self.store.quarantines.release(name)
        self.model.release(name, [job_id for job_id, of in met_by_a_lease if of == name])
        while self.store.quarantines.continue_releases():
            pass

    @rule(ms=st.sampled_from((700, 1_500, 4_000, TTL_MS)))
    def time_passes(self, ms: int) -> None:
        self.world.clock.now_ms += ms
        self.model.now_ms = self.world.clock.wall_ms()

    # Comparing

    @invariant()
    def the_jobs_are_the_models(self) -> None:
        found = {job.id: job for job in self.store.jobs.page(JobFilter(), MOST)}
        assert found.keys() == self.model.jobs.keys()
        for job_id, job in self.model.jobs.items():
            assert _seen(found[job_id]) == _expected(job)

    @invariant()
    def the_quarantines_are_the_models(self) -> None:
        assert {one.type for one in self.store.quarantines.all()} == self.model.quarantined

    @invariant()
    def the_counts_are_the_models(self) -> None:
        counts = self.store.stats.counts_by_queue()
        kept = {(queue, status): n for queue, by in counts.items() for status, n in by.items() if n}
        assert kept == dict(self.model.counts())

    @invariant()
    def the_oldest_due_job_is_the_one_that_has_waited_longest(self) -> None:
        since_ms: dict[str, int] = {}
        now_ms = self.world.clock.wall_ms()
        for queue, run_at_ms, freed_at_ms in self.world.look(_DUE, now_ms):
            at_ms = waits_since_ms(run_at_ms, freed_at_ms)
            since_ms[queue] = min(at_ms, since_ms.get(queue, at_ms))
        due = self.store.waiting.due_by_queue(self.store.queues.rooms())
        assert since_ms == {name: one.since_ms for name, one in due.items() if one.jobs}

    def teardown(self) -> None:
        for job_id, job in self.model.jobs.items():
            outcomes = [one.outcome for one in self.store.jobs.attempts(job_id)]
            running = [None] if job.status is Status.IN_PROGRESS else []
            assert outcomes == [*job.outcomes, *running]


def _seen(job: Job) -> tuple[object, ...]:
    run_at_ms = job.run_at_ms if job.status is Status.PENDING else None
    times_ms = (run_at_ms, job.freed_at_ms)
    return job.status, job.attempt, times_ms, job.queue, job.priority, job.depends_on


def _expected(job: ModelJob) -> tuple[object, ...]:
    attempt = len(job.outcomes) + (job.status is Status.IN_PROGRESS)
    run_at_ms = job.run_at_ms if job.status is Status.PENDING else None
    times_ms = (run_at_ms, job.freed_at_ms)
    return job.status, attempt, times_ms, job.queue, job.priority, job.depends_on


def machine_on(world: World) -> type[StoreMachine]:
    """The machine with the world that it runs in."""
    return type("Machine", (StoreMachine,), {"world": world})


def machine_settings(examples: int = 250, **others: Any) -> settings:
    """How long it runs: 30 examples a second on SQLite."""
    return settings(
        max_examples=examples,
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        **others,
    )
