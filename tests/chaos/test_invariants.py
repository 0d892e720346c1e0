"""The test of the tests: a run in which all is well passes; each planted violation turns red."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.sqlite.write_ahead_log import WAL_BOUND_BYTES
from tests.chaos.histories import Answer, Cancel, ClientLog, Evidence, Look, Process, Request, Run
from tests.chaos.invariants import check_everything
from tests.databases import make_database
from tests.simulation.engine import Violation
from tests.simulation.world import BACKOFF

SECRET = "hush"
WORKER, API, SUPERVISOR = 7, 8, 9
PARENT, FAILING, HOPELESS, CANCELLED, CHILD = 1, 2, 3, 4, 5
KEYED = (FAILING, HOPELESS, CANCELLED)
"""They have one concurrency key, of which two may run at once."""


class Past:
    """A clock that the test sets forward, so that it need not wait for a backoff."""

    boot_id = "boot"

    def __init__(self) -> None:
        self._started_ms = time.time_ns() // 1_000_000
        self.passed_ms = 0

    def wall_ms(self) -> int:
        return self._started_ms + self.passed_ms

    def monotonic_ms(self) -> int:
        return self.passed_ms


class Scene:
    """Four jobs and a child, run by one worker to their ends."""

    def __init__(self, database: Path) -> None:
        self.clock = Past()
        self.runs: list[Run] = []
        url = f"sqlite:///{database}"
        make_database(url)
        self._store: Store = open_store(
            url,
            pools={"default": ("*",)},
            backoff=BACKOFF,
            clock=self.clock,
        )
        jobs = tuple(
            NewJob(
                "asked",
                json.dumps({"request": 0, "index": index, "does": does, "children": 1}),
                max_retries=1,
                concurrency_key="key" if index + 1 in KEYED else None,
            )
            for index, does in enumerate(("parent", "nothing", "nothing", "nothing"))
        )
        self._store.queues.configure({"default": QueueRules(per_key=KeyRules(2))})
        ids = self._store.jobs.submit_many(jobs)
        self._store.jobs.cancel(CANCELLED)
        cancels = [Cancel(CANCELLED, time.monotonic_ns())]
        self._work()
        self.clock.passed_ms += 5_000
        self._work()
        self._work()
        self._store.close()
        self.clients = ClientLog(
            requests=[Request(0, jobs, "key", "answered", tuple(ids))],
            answers=[Answer("/jobs/batch", 201, 0)],
            cancels=cancels,
        )

    def _work(self) -> None:
        leases = self._store.leases.lease(Holder("default-1", "life", WORKER), ("*",), 9, 60_000)
        for lease in leases:
            self.clock.passed_ms += 10
            begin_ns = time.monotonic_ns()
            end_ns = time.monotonic_ns() + 1
            self.runs.append(Run(lease.job_id, lease.attempt, WORKER, "life", begin_ns, end_ns))
            self._store.leases.finish([self._finished(lease)])

    def _finished(self, lease: Any) -> Finished:
        if lease.job_id == HOPELESS or (lease.job_id == FAILING and lease.attempt == 1):
            return Finished(lease, Ending.FAILED, error=JobError("RuntimeError", "no"))
        result = json.dumps({"pid": WORKER, "attempt": lease.attempt})
        children = (NewJob("child", f'{{"parent": {PARENT}}}'),) if lease.job_id == PARENT else ()
        return Finished(lease, Ending.SUCCEEDED, result=result, children=children)


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    """Of a run in which nothing went wrong."""
    database = tmp_path / "orpheus.db"
    scene = Scene(database)
    with Look(database) as tables:
        events = tables.look("SELECT seq, at_ms, kind, job_id, body FROM events ORDER BY seq")
        yield Evidence(
            tables=tables,
            events=events,
            clients=scene.clients,
            runs=scene.runs,
            seen_seqs=[row[0] for row in events],
            processes=[
                Process(WORKER, SUPERVISOR, "life", "sleeping", "worker", 10),
                Process(API, SUPERVISOR, "other life", "sleeping", "api", 10),
                Process(SUPERVISOR, 1, "", "sleeping", "supervisor", 10),
            ],
            expected={"default-1": (WORKER, "life"), "api": (API, "other life")},
            supervisor_pid=SUPERVISOR,
            supervisor_fds=10,
            log="all is well",
            secret=SECRET,
            wal_bytes=0,
            drained_s=1,
            drain_bound_s=2,
        )


def test_a_run_in_which_all_is_well_passes(evidence: Evidence) -> None:
    fold = check_everything(evidence)
    assert {job_id: job.status for job_id, job in fold.jobs.items()} == {
        PARENT: "done",
        FAILING: "done",
        HOPELESS: "failed",
        CANCELLED: "cancelled",
        CHILD: "done",
    }


# Plants


def sql(*statements: str) -> Callable[[Evidence], None]:
    """Change the tables behind the store's back, past its checks."""

    def plant(evidence: Evidence) -> None:
        evidence.tables.look("PRAGMA foreign_keys = OFF")
        evidence.tables.look("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            evidence.tables.look(statement)
        evidence.tables.look("PRAGMA ignore_check_constraints = OFF")

    return plant


def event(kind: str, job_id: int, **changes: Any) -> Callable[[Evidence], None]:
    """One more event of a job, as the last one was but for `changes`."""

    def plant(evidence: Evidence) -> None:
        last = [row for row in evidence.events if row[3] == job_id][-1]
        body = json.dumps({**json.loads(last[4]), **changes})
        seq = evidence.events[-1][0] + 1
        evidence.events.append((seq, last[1], kind, job_id, body))
        evidence.seen_seqs.append(seq)

    return plant


def rewrite(kind: str, job_id: int, **changes: Any) -> Callable[[Evidence], None]:
    """The first event of that kind, told otherwise."""

    def plant(evidence: Evidence) -> None:
        index = next(n for n, row in enumerate(evidence.events) if row[2:4] == (kind, job_id))
        seq, at_ms, _, _, body = evidence.events[index]
        told = json.dumps({**json.loads(body), **changes})
        evidence.events[index] = (seq, at_ms, kind, job_id, told)

    return plant


def drop_an_event(evidence: Evidence) -> None:
    del evidence.events[3]


def leave_a_job_pending(evidence: Evidence) -> None:
    _, at_ms, _, _, body = evidence.events[0]
    seq = evidence.events[-1][0] + 1
    pending = json.dumps({**json.loads(body), "id": 99})
    evidence.events.append((seq, at_ms, "job.enqueued", 99, pending))
    evidence.seen_seqs.append(seq)


def swap_two_starts(evidence: Evidence) -> None:
    _swap(evidence, *[n for n, row in enumerate(evidence.events) if row[2] == "job.started"][:2])


def swap_starts_of_a_key(evidence: Evidence) -> None:
    starts = [n for n, row in enumerate(evidence.events) if row[2] == "job.started"]
    first, second = [n for n in starts if evidence.events[n][3] in KEYED][:2]
    _swap(evidence, first, second)


def _swap(evidence: Evidence, first: int, second: int) -> None:
    one, other = evidence.events[first], evidence.events[second]
    evidence.events[first] = (one[0], *other[1:])
    evidence.events[second] = (other[0], *one[1:])


def acknowledge_a_job_that_is_not_there(evidence: Evidence) -> None:
    evidence.clients.requests[0].ids += (99,)


def forget_the_request(evidence: Evidence) -> None:
    evidence.clients.requests.clear()


def refuse_the_request(evidence: Evidence) -> None:
    evidence.clients.requests[0].state = "refused"


def run_beside_the_next_attempt(evidence: Evidence) -> None:
    first, second = [run for run in evidence.runs if run.job_id == FAILING]
    first.end_ns = second.begin_ns + 1


def run_a_third_of_the_key(evidence: Evidence) -> None:
    first = next(run for run in evidence.runs if run.job_id == FAILING)
    second = next(run for run in evidence.runs if run.job_id == HOPELESS)
    first.end_ns = second.begin_ns + 1
    evidence.runs.append(replace(second, job_id=CANCELLED))


def run_after_the_cancel(evidence: Evidence) -> None:
    at_ns = evidence.clients.cancels[0].at_ns
    evidence.runs.append(Run(CANCELLED, 1, WORKER, "life", at_ns + 1, at_ns + 2))


def miss_an_event(evidence: Evidence) -> None:
    del evidence.seen_seqs[2]


def miss_the_last_event(evidence: Evidence) -> None:
    del evidence.seen_seqs[-1]


def lose_an_effect(evidence: Evidence) -> None:
    evidence.runs[0].end_ns = None


def begin_without_a_lease(evidence: Evidence) -> None:
    evidence.runs.append(Run(CHILD, 2, WORKER, "life", 0, 1))


def lose_a_process(evidence: Evidence) -> None:
    del evidence.processes[0]


def add(process: Process) -> Callable[[Evidence], None]:
    return lambda evidence: evidence.processes.append(process)


def stop_a_worker(evidence: Evidence) -> None:
    evidence.processes[0] = replace(evidence.processes[0], status="stopped")


def grow_descriptors(evidence: Evidence) -> None:
    evidence.processes[2] = replace(evidence.processes[2], fds=30)


def answer_500(evidence: Evidence) -> None:
    evidence.clients.answers.append(Answer("/jobs", 500, 0))


def set_(name: str, value: Any) -> Callable[[Evidence], None]:
    return lambda evidence: setattr(evidence, name, value)


FIRST = f"WHERE job_id = {HOPELESS} AND number = 1"
ATTEMPT = (
    "job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms, lease_token",
    f"{CHILD}, 2, 'succeeded', 'default-1', {WORKER}, 1, 2, 99",
)
PLANTS: dict[str, tuple[str, Callable[[Evidence], None]]] = {
    "an acknowledged job is gone": ("I1", acknowledge_a_job_that_is_not_there),
    "a job ends twice": ("I12 no such transition", event("job.failed", PARENT, status="failed")),
    "nobody asked for a job": ("I2 a job nobody", forget_the_request),
    "a refused request left a job": ("I2 a refused", refuse_the_request),
    "one key made two jobs": (
        "I2 a request made jobs twice",
        sql(f"UPDATE jobs SET payload = json_set(payload, '$.index', 0) WHERE id = {FAILING}"),
    ),
    "attempts overlap": (
        "I3 two live attempts",
        sql(
            "UPDATE ended_attempts SET started_at_ms = started_at_ms - 9e6 "
            f"WHERE job_id = {HOPELESS} AND number = 2"
        ),
    ),
    "handlers overlap": ("I3 two handlers", run_beside_the_next_attempt),
    "more of a key are leased than its limit": (
        "I22 more leases",
        sql("UPDATE queues SET max_running_per_key = 1"),
    ),
    "more of a key run than its limit": ("I22 more handlers", run_a_third_of_the_key),
    "an attempt's number is left out": (
        "I4 attempt numbers",
        sql(f"UPDATE ended_attempts SET number = 3 WHERE job_id = {FAILING} AND number = 1"),
    ),
    "a token does not grow": (
        "I4 a token",
        sql(f"UPDATE ended_attempts SET lease_token = 99 WHERE job_id = {FAILING} AND number = 1"),
    ),
    "an attempt is not stored": (
        "I4 an attempt without its row",
        sql(f"DELETE FROM ended_attempts WHERE job_id = {HOPELESS} AND number = 2"),
    ),
    "a finish by an older token": (
        "I4 a token",
        sql(f"UPDATE jobs SET lease_token = 0 WHERE id = {FAILING}"),
    ),
    "two successes": (
        "I5 not one success|I4",
        sql(f"INSERT INTO ended_attempts ({ATTEMPT[0]}) VALUES ({ATTEMPT[1]})"),
    ),
    "a late finish changed the result": (
        "I6",
        sql(f'UPDATE jobs SET result = \'{{"pid": 1, "attempt": 1}}\' WHERE id = {CHILD}'),
    ),
    "failed before its limit": (
        "I7 failed too early",
        sql(f"UPDATE ended_attempts SET outcome = 'released', spent_retry = 0 {FIRST}"),
    ),
    "spent for nothing": ("I7 stored", sql(f"UPDATE ended_attempts SET spent_retry = 0 {FIRST}")),
    "more attempts than allowed": (
        "I7",
        rewrite("job.failed", HOPELESS, max_retries=0),
    ),
    "a retry too soon": ("I8", rewrite("job.retrying", FAILING, run_at_ms=0)),
    "a smaller job waited": ("I9", swap_two_starts),
    "a smaller job of a key waited": ("I9", swap_starts_of_a_key),
    "started after its cancel": ("I10", run_after_the_cancel),
    "a gap between events": ("I11 a gap", drop_an_event),
    "a subscriber misses an event": ("I11 a subscriber missed", miss_an_event),
    "a subscriber is left behind": ("I11 a subscriber was left", miss_the_last_event),
    "the events tell of other jobs": (
        "I12 the last event",
        sql(f"UPDATE jobs SET priority = 7 WHERE id = {CHILD}"),
    ),
    "done without its effect": ("I13 done", lose_an_effect),
    "a child is lost": (
        "I13 children",
        sql(f"UPDATE jobs SET payload = '{{\"parent\": 99}}' WHERE id = {CHILD}"),
    ),
    "begun without a lease": ("I14", begin_without_a_lease),
    "a configured process is not there": ("I15 not there", lose_a_process),
    "a zombie": ("I15 a zombie", add(Process(50, SUPERVISOR, "", "zombie", "", 0))),
    "an orphan": ("I15 an orphan", add(Process(50, 1, "dead life", "sleeping", "sleep", 3))),
    "a worker is still stopped": ("I15 still stopped", stop_a_worker),
    "descriptors grow": ("I15 growing", grow_descriptors),
    "a reference to nothing": (
        "I16 foreign_key_check",
        sql("INSERT INTO job_tags (tag, job_id) VALUES ('x', 99)"),
    ),
    "a check is broken": (
        "I16 integrity_check",
        sql(f"UPDATE jobs SET failures = 99 WHERE id = {CHILD}"),
    ),
    "the WAL has grown": ("I16 the WAL", set_("wal_bytes", WAL_BOUND_BYTES + 1)),
    "an internal error": ("I17 an internal error", answer_500),
    "a traceback in the log": (
        "I17 a traceback",
        set_("log", "Traceback (most recent call last)\n  File"),
    ),
    "a traceback among a job's output": (
        "I17 not of a child",
        set_("log", '{"event": "output_outside_a_job", "line": "RuntimeError: no thread"}'),
    ),
    "drained too late": ("I18 drained too late", set_("drained_s", 3)),
    "not drained": (
        "I18 not drained",
        leave_a_job_pending,
    ),
    "kept counts are wrong": ("I19", sql("UPDATE job_counts SET n = n + 1")),
    "a secret in the log": ("I20 a secret in the log", set_("log", f"payload={SECRET}")),
    "a secret in an event": (
        "I20 a secret stands in', 'events'|I20 a secret stands in: 'events'",
        sql(f"UPDATE events SET body = json_set(body, '$.message', '{SECRET}') WHERE seq = 1"),
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_violation_turns_red(name: str, evidence: Evidence) -> None:
    invariant, plant = PLANTS[name]
    plant(evidence)
    with pytest.raises(Violation, match=invariant):
        check_everything(evidence)
