"""I1 to I22 of a run with real processes, as far as they can be seen from outside.

Pure: each takes the evidence of a run that has healed and drained, and raises Violation. What the
simulation checks in the same tables, it checks here by the same functions.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from math import inf
from typing import Any

from orpheus.shared.storage.sqlite.write_ahead_log import WAL_BOUND_BYTES
from tests.chaos.clients import ALONE
from tests.chaos.histories import Evidence, Run, fold_events
from tests.simulation import invariants as simulated
from tests.simulation.histories import Fold, check
from tests.simulation.world import Tables

Key = tuple[str, str | None]
"""A queue and a concurrency key."""
Position = tuple[int, int, int]
"""Where a job stands in the order of leasing."""

_EXPIRED = "LeaseExpired"
_MAY_ANSWER = {503, 507}
_FEW_FDS = 4
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)[^{]{0,4000}")
_OUTSIDE = '"event": "output_outside_a_job"'
_EXCEPTION = re.compile(r'"line": "[A-Za-z_.]+(: |")')
"""The last line of a traceback: the others are indented."""
_OF_A_CHILD = "RuntimeError: in the child"  # tests/chaos/jobs: fork_and_raise


def check_everything(evidence: Evidence) -> Fold:
    """Every invariant; the folded events."""
    # I1 one end, I4, I7, I8, I11, I12: checked by the fold
    fold = fold_events(evidence.events, evidence.tables)
    tables = evidence.tables
    check_drain(evidence)
    simulated.everything_has_ended(fold)
    simulated.acknowledged_jobs_exist(fold, evidence.clients)
    simulated.every_job_was_asked_for_once(tables, fold, evidence.clients)
    simulated.events_give_the_jobs(tables, fold)
    simulated.attempts_are_numbered(tables)
    simulated.retries_are_counted(tables, fold)
    simulated.children_are_there_exactly_once(tables)
    for cheap in simulated.CHEAP:
        cheap(tables, fold)
    for one in OWN:
        one(evidence)
    return fold


def check_drain(evidence: Evidence) -> None:
    """I18: faults end, then everything ends within its bound."""
    took_s, bound_s = evidence.drained_s, evidence.drain_bound_s
    check(took_s <= bound_s, "I18 drained too late", took_s, bound_s)


def attempts_do_not_overlap(evidence: Evidence) -> None:
    """I3: by what the database says, and by what the handlers did.

    A handler may still run when the job is leased again only where its lease had expired: who
    is stopped and has no supervisor cannot be ended first. It is fenced then.
    """
    rows = evidence.tables.look(
        "SELECT job_id, number, started_at_ms, finished_at_ms FROM attempts ORDER BY job_id, number"
    )
    for before, after in pairwise(rows):
        if before[0] == after[0]:
            check(before[3] <= after[2], "I3 two live attempts", before, after)
    expired = _expired(evidence.tables)
    by_job: dict[int, list[Run]] = {}
    for run in sorted(evidence.runs, key=lambda one: one.begin_ns):
        by_job.setdefault(run.job_id, []).append(run)
    for runs in by_job.values():
        for earlier, later in pairwise(runs):
            overlap = earlier.end_ns is not None and earlier.end_ns > later.begin_ns
            fenced = (earlier.job_id, earlier.attempt) in expired
            check(fenced or not overlap, "I3 two handlers at once", earlier, later)


def _expired(tables: Tables) -> set[tuple[int, int]]:
    """Return the attempts (job, number) whose lease expired."""
    found = tables.look("SELECT job_id, number FROM attempts WHERE error_type = ?", _EXPIRED)
    return {(job_id, number) for job_id, number in found}


def the_last_token_ended_the_job(evidence: Evidence) -> None:
    """I5 and I6: a done job's result is of the attempt that succeeded, and of the last token."""
    rows = evidence.tables.look(
        "SELECT jobs.id, jobs.lease_token, jobs.result, jobs.attempt, max(one.lease_token), "
        "count(*) FILTER (WHERE one.outcome = 'succeeded') "
        "FROM jobs JOIN attempts AS one ON one.job_id = jobs.id "
        "WHERE jobs.status = 'done' GROUP BY jobs.id"
    )
    pids = {
        row[0]: row[1:]
        for row in evidence.tables.look(
            "SELECT job_id, lease_token, pid, number FROM attempts WHERE outcome = 'succeeded'"
        )
    }
    for job_id, token, result, number, last, successes in rows:
        check(successes == 1, "I5 not one success of a done job", job_id, successes)
        succeeded, pid, attempt = pids[job_id]
        check(token == succeeded == last, "I5 ended by another token", job_id, token, last)
        said = json.loads(result)
        is_its = said == {"pid": pid, "attempt": attempt} and attempt == number
        check(is_its, "I6 the result is another attempt's", job_id, said, pid, attempt)


class KeyedJobs:
    """The jobs of each concurrency key of a limited queue, as the events tell of them."""

    def __init__(self, tables: Tables) -> None:
        self._most = dict(
            tables.look(
                "SELECT name, max_running_per_key FROM queues WHERE max_running_per_key > 0"
            )
        )
        self._running: dict[Key, set[int]] = defaultdict(set)
        self._pending: dict[Key, dict[int, Position]] = defaultdict(dict)

    def most_of(self, key: Key) -> float:
        """Return how many jobs of a key may run at once."""
        return inf if key[1] is None else self._most.get(key[0], inf)

    def take(self, body: dict[str, Any]) -> None:
        """Take what an event tells of a job."""
        key, job_id = (body["queue"], body["concurrency_key"]), body["id"]
        if self.most_of(key) == inf:
            return
        self._running[key].discard(job_id)
        self._pending[key].pop(job_id, None)
        if body["status"] == "in_progress":
            self._running[key].add(job_id)
        elif body["status"] == "pending":
            self._pending[key][job_id] = _position(body)

    def running_of(self, body: dict[str, Any]) -> set[int]:
        """Return the jobs that run now of a job's key."""
        return self._running[body["queue"], body["concurrency_key"]]

    def may_wait(self, body: dict[str, Any]) -> bool:
        """Return whether jobs that run, or come before it, take all the room of a job's key."""
        key = body["queue"], body["concurrency_key"]
        before = sum(position < _position(body) for position in self._pending[key].values())
        return len(self._running[key]) + before >= self.most_of(key)


def keys_keep_their_limit(evidence: Evidence) -> None:
    """I22: no more jobs of a key are leased at once than its queue allows, nor do more run.

    Those that run may be more only by those whose lease had expired, see I3.
    """
    jobs = KeyedJobs(evidence.tables)
    for _, _, kind, _, text in evidence.events:
        body = json.loads(text)
        if kind.startswith("job."):
            jobs.take(body)
            most = jobs.most_of((body["queue"], body["concurrency_key"]))
            check(len(jobs.running_of(body)) <= most, "I22 more leases of a key", body)
    rows = evidence.tables.look(
        "SELECT id, queue, concurrency_key FROM jobs WHERE concurrency_key IS NOT NULL"
    )
    keys = {job_id: (queue, key) for job_id, queue, key in rows}
    expired = _expired(evidence.tables)
    running: dict[Key, list[Run]] = defaultdict(list)
    for run in sorted(evidence.runs, key=lambda one: one.begin_ns):
        key = keys.get(run.job_id)
        if key is None or run.end_ns is None or (run.job_id, run.attempt) in expired:
            continue
        running[key] = [one for one in running[key] if (one.end_ns or 0) > run.begin_ns] + [run]
        check(len(running[key]) <= jobs.most_of(key), "I22 more handlers of a key", running[key])


def smaller_jobs_start_first(evidence: Evidence) -> None:
    """I9: no job starts while one that waits for no time stands before it.

    A worker of several places passes over a job that has crashed: it waits to run alone. And it
    does not serve the queue of jobs that always must. A job whose key has no room is parked.
    """
    fold = fold_events([], evidence.tables)
    rows = evidence.tables.look(
        "SELECT job_id FROM attempts WHERE outcome = 'crashed' OR error_type = ?", _EXPIRED
    )
    have_crashed = {row[0] for row in rows}
    alone = evidence.tables.look("SELECT id FROM jobs WHERE queue = ?", ALONE)
    may_wait = {row[0] for row in alone}
    waiting: dict[int, Position] = {}
    keyed = KeyedJobs(evidence.tables)
    for seq, at_ms, kind, job_id, body in evidence.events:
        fold.take(seq, at_ms, kind, job_id, body)
        if job_id is None:
            continue
        job = fold.jobs.get(job_id)
        if kind == "job.reclaimed" and job_id in have_crashed:
            may_wait.add(job_id)
        if kind == "job.started":
            mine = _position(json.loads(body))
            for one, position in waiting.items():
                waits = position >= mine or keyed.may_wait(fold.jobs[one].body)
                check(waits, "I9 a smaller job waited", seq, mine, one, position)
        is_due = job is not None and job.status == "pending" and job.due_ms is None
        if job is not None and is_due and job_id not in may_wait:
            waiting[job_id] = _position(job.body)
        else:
            waiting.pop(job_id, None)
        keyed.take(json.loads(body))


def _position(body: dict[str, Any]) -> Position:
    return -body["priority"], body["run_at_ms"], body["id"]


def cancelled_jobs_do_not_start(evidence: Evidence) -> None:
    """I10: not after the answer that they are cancelled."""
    cancelled_ns = {one.job_id: one.at_ns for one in evidence.clients.cancels}
    for run in evidence.runs:
        at_ns = cancelled_ns.get(run.job_id)
        check(at_ns is None or run.begin_ns <= at_ns, "I10 started after its cancel", run)


def subscribers_miss_nothing(evidence: Evidence) -> None:
    """I11: every event once, in order, across reconnects."""
    for before, after in pairwise(evidence.seen_seqs):
        check(after == before + 1, "I11 a subscriber missed events", before, after)
    last = evidence.events[-1][0]
    seen = evidence.seen_seqs[-1:]
    check(seen and seen[0] >= last, "I11 a subscriber was left behind", seen, last)


def effects_and_attempts_agree(evidence: Evidence) -> None:
    """I13: done means that the handler came to its end. I14: whoever began had a lease."""
    rows = evidence.tables.look("SELECT job_id, number, pid, outcome FROM attempts")
    attempts = {row[:3]: row[3] for row in rows}
    runs = {(run.job_id, run.attempt, run.pid): run for run in evidence.runs}
    for key, outcome in attempts.items():
        run = runs.get(key)
        if outcome == "succeeded":
            check(run and run.end_ns is not None, "I13 done without its effect", key)
    for key in runs:
        check(key in attempts, "I14 begun without a lease", key)


def only_what_is_configured_lives(evidence: Evidence) -> None:
    """I15: no zombie, no orphan, no stopped process, no growing table of descriptors."""
    living = {one.pid: one for one in evidence.processes}
    own = {pid for pid, _ in evidence.expected.values()}
    check(own <= living.keys(), "I15 not there", own - living.keys(), evidence.expected)
    lives = {incarnation for _, incarnation in evidence.expected.values()}
    for one in evidence.processes:
        check(one.status != "zombie", "I15 a zombie", one)
        check(one.status != "stopped", "I15 still stopped", one)
        known = one.pid in own or one.pid == evidence.supervisor_pid or one.incarnation in lives
        check(known, "I15 an orphan", one)
    fds = living[evidence.supervisor_pid].fds
    grown = fds - evidence.supervisor_fds
    check(grown <= _FEW_FDS, "I15 growing descriptors", fds, evidence.supervisor_fds)


def the_file_is_whole(evidence: Evidence) -> None:
    """I16."""
    problems = evidence.tables.look("PRAGMA integrity_check")
    check(problems == [("ok",)], "I16 integrity_check", problems)
    problems = evidence.tables.look("PRAGMA foreign_key_check")
    check(not problems, "I16 foreign_key_check", problems)
    wal = evidence.wal_bytes
    check(wal <= WAL_BOUND_BYTES, "I16 the WAL has grown", wal)


def errors_are_of_the_allowed_kinds(evidence: Evidence) -> None:
    """I17: the only tracebacks are those of a job's forked children.

    While several jobs run in a worker, what such a child writes is in the worker's log. A child
    may be killed before it has written the last line, which names the exception.
    """
    for one in evidence.clients.answers:
        internal = one.status is not None and one.status >= 500 and one.status not in _MAY_ANSWER
        check(not internal, "I17 an internal error", one)
    lines = evidence.log.splitlines(keepends=True)
    outside = [one for one in lines if _OUTSIDE in one]
    raised = [one for one in outside if _EXCEPTION.search(one) and _OF_A_CHILD not in one]
    check(not raised, "I17 not of a child", *raised[:3], *outside[:40])
    tracebacks = _TRACEBACK.findall("".join(one for one in lines if _OUTSIDE not in one))
    ours = [one for one in tracebacks if _OF_A_CHILD not in one]
    check(not ours, "I17 a traceback in the log", *ours[:3])


def secrets_stay_in_payloads(evidence: Evidence) -> None:
    """I20: a payload's text is in no log, event, error or line of a job."""
    secret = evidence.secret
    check(secret not in evidence.log, "I20 a secret in the log")
    for table, columns in (
        ("events", "body"),
        ("jobs", "coalesce(error_message, '') || coalesce(error_traceback, '')"),
        ("attempts", "coalesce(error_message, '') || coalesce(error_traceback, '')"),
        ("job_logs", "line || fields"),
    ):
        found = evidence.tables.look(
            f"SELECT count(*) FROM {table} WHERE instr({columns}, ?) > 0", secret
        )
        check(found == [(0,)], "I20 a secret stands in", table, found)


OWN: tuple[Callable[[Evidence], None], ...] = (
    attempts_do_not_overlap,
    keys_keep_their_limit,
    the_last_token_ended_the_job,
    smaller_jobs_start_first,
    cancelled_jobs_do_not_start,
    subscribers_miss_nothing,
    effects_and_attempts_agree,
    only_what_is_configured_lives,
    the_file_is_whole,
    errors_are_of_the_allowed_kinds,
    secrets_stay_in_payloads,
)
