"""I1 to I20 of a run with real processes, as far as they can be seen from outside.

Pure: each takes the evidence of a run that has healed and drained, and raises Violation. What the
simulation checks in the same tables, it checks here by the same functions.
"""

import json
from collections.abc import Callable
from itertools import pairwise

from orpheus.shared.storage.sqlite.opening import WAL_BOUND_BYTES
from tests.chaos.histories import Evidence, Run, fold_events
from tests.simulation import invariants as simulated
from tests.simulation.histories import Fold, check

_EXPIRED = "LeaseExpired"
_MAY_ANSWER = {503, 507}
_FEW_FDS = 4


def check_everything(evidence: Evidence) -> Fold:
    """Every invariant; the folded events."""
    fold = fold_events(evidence.events)  # I1 one end, I4, I7, I8, I11, I12: checked by the fold
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
        "SELECT job_id, number, started_at_ms, finished_at_ms, error_type FROM attempts "
        "ORDER BY job_id, number"
    )
    for before, after in pairwise(rows):
        if before[0] == after[0]:
            check(before[3] <= after[2], "I3 two live attempts", before, after)
    expired = {(row[0], row[1]) for row in rows if row[4] == _EXPIRED}
    by_job: dict[int, list[Run]] = {}
    for run in sorted(evidence.runs, key=lambda one: one.begin_ns):
        by_job.setdefault(run.job_id, []).append(run)
    for runs in by_job.values():
        for earlier, later in pairwise(runs):
            overlap = earlier.end_ns is not None and earlier.end_ns > later.begin_ns
            fenced = (earlier.job_id, earlier.attempt) in expired
            check(fenced or not overlap, "I3 two handlers at once", earlier, later)


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


def smaller_jobs_start_first(evidence: Evidence) -> None:
    """I9: no job starts while one that waits for no time stands before it."""
    fold = fold_events([])
    waiting: dict[int, tuple[int, int, int]] = {}
    for seq, at_ms, kind, job_id, body in evidence.events:
        fold.take(seq, at_ms, kind, job_id, body)
        if job_id is None:
            continue
        job = fold.jobs.get(job_id)
        if kind == "job.started":
            mine = _place(json.loads(body))
            first = min(waiting.values(), default=mine)
            check(mine <= first, "I9 a smaller job waited", seq, mine, first)
        if job is not None and job.status == "pending" and job.due_ms is None:
            waiting[job_id] = _place(job.body)
        else:
            waiting.pop(job_id, None)


def _place(body: dict[str, int]) -> tuple[int, int, int]:
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
    """I17."""
    for one in evidence.clients.answers:
        internal = one.status is not None and one.status >= 500 and one.status not in _MAY_ANSWER
        check(not internal, "I17 an internal error", one)
    at = evidence.log.find("Traceback (most recent call last)")
    check(at < 0, "I17 a traceback in the log", evidence.log[max(0, at - 500) : at + 4_000])


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
