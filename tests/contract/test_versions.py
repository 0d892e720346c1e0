"""Hosts with different job code share a database: who accepts, leases and waits for which job."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.admission import prepare_job
from orpheus.shared.messages.queues import Code
from orpheus.shared.process.host import own_host
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, TypeRow
from orpheus.shared.storage.verbs import job_types
from tests.contract.conftest import TTL_MS, FakeClock, Opener
from tests.explained import reasons_of, worker

Fits = Callable[..., int]
MINUTE_MS = 60_000


def resize(*fields: str, max_retries: int = 3) -> TypeRow:
    """The type `resize` with these fields, all of which are required."""
    schema = {
        "properties": {field: {} for field in fields},
        "required": list(fields),
        "additionalProperties": False,
    }
    return TypeRow("resize", json.dumps(schema), max_retries, None, None, "")


OLD, NEW = resize("path"), resize("path", "width", max_retries=9)
CROP = TypeRow("crop", "{}", None, None, None, "")
OLD_PAYLOAD, NEW_PAYLOAD = {"path": "a"}, {"path": "a", "width": 1}


class Worker:
    """A worker of a build, with a store of its own."""

    def __init__(
        self, store: Store, name: str, types: Sequence[TypeRow], host: str | None = None
    ) -> None:
        self.store, self.name, host = store, name, host or own_host()
        build = store.types.replace(types, host=host)
        record = own_record(store.clock, host, Role.WORKER, name, name, ready=True, build=build)
        store.processes.register(record)
        store.versions.loaded = store.types.versions_of(build)

    def lease(self, limit: int = 9, queues: tuple[str, ...] = ("*",)) -> list[int]:
        """Lease jobs, and return their ids."""
        return [one.job_id for one in self.leases(limit, queues)]

    def leases(self, limit: int = 9, queues: tuple[str, ...] = ("*",)) -> list[Lease]:
        holder = Holder(self.name, self.name, 1)
        if not self.store.leases.is_work_due():
            return []
        return self.store.leases.lease(holder, queues, limit, TTL_MS)

    def gives_back(self, lease: Lease, versions: str) -> None:
        """It cannot read the job."""
        self.store.leases.finish([Finished(lease, Ending.UNENTERED, versions=versions)])

    def dies(self) -> None:
        self.store.processes.forget(self.name)


@pytest.fixture
def old(another: Opener) -> Worker:
    return Worker(another(), "old", [OLD])


@pytest.fixture
def new(old: Worker, another: Opener) -> Worker:
    """Its host has the new code by now; the old worker is still to be replaced."""
    return Worker(another(), "new", [NEW, CROP])


@pytest.fixture
def accept(store: Store) -> Fits:
    """Submits a job as the API does."""

    def submit(payload: object = None, type: str = "resize", **fields: Any) -> int:
        types = {row.name: row for row in store.types.all()}
        new = prepare_job(types, JobDefaults(1, 60.0), type=type, payload=payload or {}, **fields)
        return store.jobs.submit(new).job.id

    return submit


WORKERS = [worker(f"default-{n}") for n in range(1, 10)]


def codes(store: Store, job_id: int) -> list[Code]:
    return [Code(reason.code) for reason in reasons_of(store, job_id, *WORKERS)]


def upkeep(store: Store) -> None:
    store.types.note_hosts()
    while store.versions.continue_letting_go():
        pass
    assert store.maintenance.verify() == []


def look_for(store: Store, clock: FakeClock, minutes: int) -> None:
    """Let a leader look after the hosts for some minutes, as upkeep does."""
    store.types.note_hosts()
    for _ in range(2 * minutes):
        clock.advance(MINUTE_MS // 2)
        store.types.note_hosts()


@pytest.mark.usefixtures("new")
def test_what_any_host_can_run_is_accepted_with_the_defaults_of_that_version(
    store: Store, accept: Fits
) -> None:
    assert store.jobs.get(accept(OLD_PAYLOAD)).max_retries == 3
    assert store.jobs.get(accept(NEW_PAYLOAD)).max_retries == 9
    assert store.jobs.get(accept(type="crop")).max_retries == 1
    with pytest.raises(InvalidJob) as refused:
        accept({"path": "a", "height": 1})
    assert {one.pointer for one in refused.value.problems} == {
        "/payload/width",
        "/payload/height",
    }, "the newest version says what it refuses"
    with pytest.raises(InvalidJob):
        accept(type="rotate")
    assert [(row.name, row.max_retries, len(row.others)) for row in store.types.all()] == [
        ("crop", None, 0),
        ("resize", 9, 1),
    ]


def test_each_job_is_leased_only_by_a_worker_that_can_read_it(
    store: Store, old: Worker, new: Worker, accept: Fits
) -> None:
    crop, newer, older = accept(type="crop"), accept(NEW_PAYLOAD), accept(OLD_PAYLOAD)
    assert old.lease() == [older]
    assert old.lease() == []
    assert new.lease() == [crop, newer]
    assert store.maintenance.verify() == []
    older = accept(OLD_PAYLOAD)
    assert new.lease() == []
    assert old.lease() == [older]
    upkeep(store)
    assert not old.store.leases.is_work_due()


def test_the_order_and_the_limits_hold_for_jobs_that_few_workers_can_read(
    store: Store, old: Worker, new: Worker, accept: Fits
) -> None:
    first = accept(NEW_PAYLOAD, priority=1)
    usual = [store.jobs.submit(NewJob("resize")).job.id for _ in range(2)]
    urgent = accept(NEW_PAYLOAD, priority=9)
    last = accept(NEW_PAYLOAD, priority=-1, queue="other")
    paused = accept(NEW_PAYLOAD, priority=5, queue="paused")
    store.queues.pause("paused")
    assert old.lease(1) == [usual[0]]
    assert new.lease(2) == [urgent, first]
    assert new.lease(queues=("other",)) == [last]
    assert new.lease() == [usual[1]]
    assert new.lease() == [], "its queue is paused"
    store.queues.resume("paused")
    assert old.lease() == []
    assert new.lease() == [paused]


@pytest.fixture
def backlogs(store: Store) -> None:
    """More jobs than a lease looks at, in queues whose names come first, wait for the new code."""
    for queue in "abcd":
        job = NewJob("resize", json.dumps(NEW_PAYLOAD), queue=queue, versions=NEW.version)
        store.jobs.submit_many([job] * 300)


def park_all(old: Worker) -> None:
    while old.store.leases.is_work_due():
        assert old.lease(256) == []


@pytest.mark.usefixtures("backlogs")
def test_the_most_urgent_jobs_that_few_workers_can_read_come_first_whatever_their_queue(
    store: Store, old: Worker, new: Worker, accept: Fits
) -> None:
    urgent = [accept(NEW_PAYLOAD, queue="e", priority=priority) for priority in (7, 8, 9)]
    park_all(old)
    leased = new.lease(256)
    assert leased[:3] == urgent[::-1]
    assert len(leased) == 256
    assert store.maintenance.verify() == []


def test_a_job_that_a_worker_could_not_read_is_left_to_those_that_can(
    store: Store, old: Worker, new: Worker
) -> None:
    """It was submitted before the new code was there, or no schema tells."""
    job = store.jobs.submit(NewJob("resize", json.dumps(OLD_PAYLOAD))).job.id
    (lease,) = new.leases()
    new.gives_back(lease, OLD.version)
    kept = store.jobs.get(job)
    assert (kept.status, kept.attempt, store.jobs.attempts(job)) == (Status.PENDING, 0, [])
    assert new.lease() == []
    assert codes(store, job) == []
    assert old.lease() == [job]


def test_when_nobody_has_a_version_any_more_its_jobs_are_judged_anew(
    store: Store, old: Worker, new: Worker, accept: Fits
) -> None:
    """The old worker was replaced: the only code that is left says what it refuses."""
    job = accept(OLD_PAYLOAD)
    assert new.lease() == []
    upkeep(store)
    assert new.lease() == [], "an old worker lives"
    old.dies()
    upkeep(store)
    assert store.types.get("resize") == NEW
    assert new.lease() == [job]


@pytest.mark.backends("postgresql")
def test_a_host_that_restarts_takes_nothing_away_and_a_silent_one_does_not_count_after_minutes(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = own_record(store.clock, "a", Role.SUPERVISOR, "supervisor", "of-a")
    store.types.replace([OLD], host="a")
    store.types.replace([OLD], host="b")
    clock.advance(1)
    store.types.replace([NEW, CROP], host="b")
    store.types.replace([OLD], host="a")
    store.processes.register(live)
    newest = store.types.get("resize")
    assert newest is not None
    assert newest.others == (OLD,)
    assert newest.version == NEW.version
    look_for(store, clock, 4)
    assert store.types.get("crop"), "host b may start again"
    look_for(store, clock, 1)
    assert store.types.all() == [OLD]
    store.processes.register(replace(live, host="b", incarnation="of-b"))
    store.types.note_hosts()
    assert store.types.get("crop") == replace(CROP, is_everywhere=False), "it was only cut off"
    store.types.replace([OLD], host="b")
    assert store.types.all() == [OLD], "rolled back"
    store.processes.forget("of-b")
    monkeypatch.setattr(job_types, "_FORGOTTEN_AFTER_MS", 7 * MINUTE_MS)
    look_for(store, clock, 8)
    assert store.types.all() == [OLD]
    store.processes.register(replace(live, host="b", incarnation="of-b"))
    store.types.note_hosts()
    assert store.types.all() == [OLD], "what host b had is forgotten"


@pytest.fixture
def hosts(store: Store, another: Opener) -> tuple[Worker, Worker]:
    """Hosts a with the old code and b with the new code, each with a worker."""
    return Worker(another(), "a", [OLD], host="a"), Worker(another(), "b", [NEW], host="b")


@pytest.mark.backends("postgresql")
def test_a_job_that_only_a_host_can_run_which_is_gone_waits_until_it_is_back(
    store: Store,
    clock: FakeClock,
    accept: Fits,
    hosts: tuple[Worker, Worker],
) -> None:
    """Host b is down for longer than it takes not to count: the old code must not fail its job."""
    a, b = hosts
    b.dies()
    job = accept(NEW_PAYLOAD)
    assert a.lease() == []
    look_for(store, clock, 6)
    assert store.types.all() == [OLD]
    upkeep(store)
    assert a.lease() == []
    b = Worker(b.store, "b", [NEW], host="b")
    upkeep(store)
    assert b.lease() == [job]
