"""What must hold, checked against the committed database and the histories.

`CHEAP` after every step that committed something, `at_the_end` once everything has drained. None
asks the store: each reads tables past it. tests/chaos checks real processes with them too.
"""

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from tests.simulation.histories import (
    LIVE,
    PERMANENT,
    TOGETHER,
    WHOLE_PAYLOAD,
    ClientLog,
    EffectLog,
    Fold,
    check,
)
from tests.simulation.world import Tables

_COUNTED = "SELECT queue, status, count(*) FROM jobs GROUP BY queue, status"
_KEPT = "SELECT queue, status, n FROM job_counts WHERE n > 0"
_LIVE_SQL = "('blocked', 'pending', 'in_progress')"


def kept_counts_are_counted(tables: Tables, fold: Fold) -> None:
    """I19."""
    counted, kept = set(tables.look(_COUNTED)), set(tables.look(_KEPT))
    check(counted == kept, "I19 kept counts", counted ^ kept)


def an_undelayed_job_is_due_at_once(tables: Tables, fold: Fold) -> None:
    """P8: whatever the wall clock says."""
    for (job_id,) in tables.look("SELECT id FROM jobs WHERE status = 'pending' AND is_due = 0"):
        check(fold.jobs[job_id].due_ms is not None, "P8 waits for no time", job_id)


def blocked_jobs_wait_for_what_is_live_or_has_a_cascade(tables: Tables, fold: Fold) -> None:
    """They wait for all that is live, and of what has ended only for that which is on its way."""
    rows = tables.look(
        "SELECT id, waits_for, (SELECT count(*) FROM json_each(jobs.depends_on) AS one "
        f"JOIN jobs AS other ON other.id = one.value WHERE other.status IN {_LIVE_SQL}) "
        "AS live, (SELECT count(*) FROM json_each(jobs.depends_on) "
        "JOIN cascades ON job_id = value) AS ended "
        "FROM jobs WHERE status = 'blocked' AND type NOT LIKE '%function' "
        "AND waits_for NOT BETWEEN live AND live + ended"
    )
    check(not rows, "waits for another number of jobs than are live", rows)


def limited_queues_keep_their_limit(tables: Tables, fold: Fold) -> None:
    rows = tables.look(
        "SELECT name, max_running FROM queues WHERE max_running > 0 AND max_running < "
        "(SELECT count(*) FROM jobs WHERE status = 'in_progress' AND queue = name)"
    )
    check(not rows, "more jobs of a queue run than its limit", rows)


def parked_jobs_wait_for_their_key(tables: Tables, fold: Fold) -> None:
    """I21: as many others of a key run or may be leased, or its rate opens, or it is looked at."""
    rows = tables.look(
        "SELECT id, queue, concurrency_key, n, max_running_per_key FROM ("
        "SELECT jobs.*, max_running_per_key, key_rate_starts, sweep_after, (SELECT count(*) "
        "FROM jobs AS other WHERE other.queue = jobs.queue AND other.is_parked = 0 "
        "AND other.concurrency_key = jobs.concurrency_key AND (other.status = 'in_progress' "
        "OR (other.status = 'pending' AND other.is_due = 1))) AS n "
        "FROM jobs JOIN queues ON name = queue WHERE is_parked = 1) AS parked "
        "WHERE sweep_after IS NULL AND (max_running_per_key = 0 OR n < max_running_per_key) "
        "AND NOT (key_rate_starts > 0 AND n > 0) AND NOT EXISTS (SELECT 1 FROM key_rates AS one "
        "WHERE one.queue = parked.queue AND key = concurrency_key AND opens_mono_ms IS NOT NULL)"
    )
    check(not rows, "I21 parked, though its key has room", rows)


def held_jobs_wait_for_their_type(tables: Tables, fold: Fold) -> None:
    """I22: what is held back is of a type that is quarantined, or is just let go."""
    rows = tables.look(
        "SELECT id, type FROM jobs "
        "WHERE is_parked = 2 AND type NOT IN (SELECT type FROM quarantines)"
    )
    check(not rows, "I22 held back, though its type is not quarantined", rows)
    held = {row[0] for row in tables.look("SELECT type FROM quarantines WHERE released_ms IS NULL")}
    check(held == fold.quarantined, "quarantines that no event tells of", held, fold.quarantined)


CHEAP: tuple[Callable[[Tables, Fold], None], ...] = (
    kept_counts_are_counted,
    an_undelayed_job_is_due_at_once,
    blocked_jobs_wait_for_what_is_live_or_has_a_cascade,
    limited_queues_keep_their_limit,
    parked_jobs_wait_for_their_key,
    held_jobs_wait_for_their_type,
)


# Once everything has drained


def at_the_end(tables: Tables, fold: Fold, clients: ClientLog, effects: EffectLog) -> None:
    """All that the three histories must agree on."""
    everything_has_ended(fold)
    acknowledged_jobs_exist(fold, clients)
    every_job_was_asked_for_once(tables, fold, clients)
    events_give_the_jobs(tables, fold)
    attempts_are_numbered(tables)
    retries_are_counted(tables, fold)
    done_jobs_had_their_effect(tables, effects)
    attempts_took_what_their_code_did(tables, fold, effects)
    children_are_there_exactly_once(tables)
    ticks_fired_once(fold)
    problems = tables.look("PRAGMA foreign_key_check")
    check(not problems, "I16 foreign_key_check", problems)


def everything_has_ended(fold: Fold) -> None:
    live = {job_id: job.status for job_id, job in fold.jobs.items() if job.status in LIVE}
    check(not live, "I18 not drained", live)


def acknowledged_jobs_exist(fold: Fold, clients: ClientLog) -> None:
    """I1. That a job has one terminal event a life, the fold has seen to."""
    for request in clients.requests:
        missing = [
            one
            for one in request.ids
            if one not in fold.jobs and one not in clients.deleted | fold.outlived
        ]
        check(not missing, "I1 an acknowledged job is gone", request.number, missing)


def every_job_was_asked_for_once(tables: Tables, fold: Fold, clients: ClientLog) -> None:
    """I2, and all or none of a batch."""
    by_number = {request.number: request for request in clients.requests}
    found: dict[int, list[int]] = {}
    rows = tables.look(
        f"SELECT id, {WHOLE_PAYLOAD}, queue, priority FROM jobs WHERE type LIKE 'asked%'"
    )
    for job_id, payload, queue, priority in rows:
        asked = json.loads(payload)
        request = by_number.get(asked["request"])
        check(request is not None, "I2 a job nobody asked for", job_id)
        assert request is not None
        check(request.state != "refused", "I2 a refused request left a job", job_id, request)
        new = request.jobs[asked["index"]]
        is_right = new.replaces or (queue, priority) == (new.queue, new.priority)
        check(is_right, "not what was asked for", job_id)
        found.setdefault(asked["request"], []).append(asked["index"])
    for number, indexes in found.items():
        check(len(indexes) == len(set(indexes)), "I2 a request made jobs twice", number, indexes)
        request = by_number[number]
        unkeyed = {index for index, new in enumerate(request.jobs) if new.unique_key is None}
        if not (clients.deleted or fold.outlived):
            check(unkeyed <= set(indexes), "a batch was kept in part", number, indexes)


_COLUMNS = (
    "id, type, status, queue, priority, attempt, max_retries, timeout_s, created_at_ms, "
    "run_at_ms, freed_at_ms, started_at_ms, finished_at_ms, worker, unique_key, "
    "concurrency_key, depends_on, tags, cancel_requested, error_type, error_message"
)


def events_give_the_jobs(tables: Tables, fold: Fold) -> None:
    """I12, and I11: the last event's number is the number of events."""
    names = _COLUMNS.split(", ")
    rows = [
        dict(zip(names, row, strict=True)) for row in tables.look(f"SELECT {_COLUMNS} FROM jobs")
    ]
    check({row["id"] for row in rows} == set(fold.jobs), "I12 other jobs than the events tell")
    for row in rows:
        error_type, error_message = row.pop("error_type"), row.pop("error_message")
        row["error"] = error_type and {"type": error_type, "message": error_message}
        row["depends_on"], row["tags"] = json.loads(row["depends_on"]), json.loads(row["tags"])
        row["cancel_requested"] = bool(row["cancel_requested"])
        told = {k: v for k, v in fold.jobs[row["id"]].body.items() if k in row}
        check(told == row, "I12 the last event tells otherwise", told, row)
    ((n, last),) = tables.look("SELECT count(*), coalesce(max(seq), 0) FROM events")
    check(n == last == fold.last_seq, "I11 events are missing", n, last, fold.last_seq)


def attempts_are_numbered(tables: Tables) -> None:
    """I4: 1, 2, 3…, with tokens that grow."""
    tokens: dict[int, list[int]] = {}
    rows = tables.look("SELECT job_id, number, lease_token FROM attempts ORDER BY job_id, number")
    for job_id, number, token in rows:
        earlier = tokens.setdefault(job_id, [])
        check(number == len(earlier) + 1, "I4 attempt numbers", job_id, number)
        check(not earlier or token > earlier[-1], "I4 a token did not grow", job_id, token)
        earlier.append(token)
    for job_id, attempt in tables.look(
        "SELECT id, attempt FROM jobs WHERE status <> 'in_progress'"
    ):
        kept = len(tokens.get(job_id, []))
        check(attempt == kept, "I4 an attempt without its row", job_id, attempt, kept)


def retries_are_counted(tables: Tables, fold: Fold) -> None:
    """I7, by the attempts' outcomes. A kept step begins the count anew, and so does a wait."""
    kept = dict(tables.look("SELECT job_id, max(attempt) FROM steps GROUP BY job_id"))
    spent: Counter[int] = Counter()
    losses: Counter[int] = Counter()
    crashes: Counter[int] = Counter()
    rows = tables.look(
        "SELECT job_id, number, outcome, attempts.error_type, max_retries, "
        "instr(coalesce(attempts.error_message, ''), ?), spent_retry FROM attempts "
        "JOIN jobs ON jobs.id = job_id ORDER BY job_id, number",
        TOGETHER,
    )
    for job_id, number, outcome, error_type, max_retries, together, spent_retry in rows:
        if number < max(fold.jobs[job_id].first_attempt, kept.get(job_id, 0)):
            continue
        if outcome == "snoozed" and job_id in kept:
            spent[job_id] = losses[job_id] = crashes[job_id] = 0
            continue
        is_crash = outcome == "crashed" or error_type == "LeaseExpired"
        is_free = together and max_retries and not crashes[job_id]
        spends = outcome in ("failed", "timed_out") or (is_crash and not is_free)
        is_last = error_type == "ResultLost" and not max_retries
        spends = bool(spends or is_last or (outcome == "lost" and losses[job_id] > 0))
        check(spent_retry == spends, "I7 stored whether a retry was spent", job_id, number)
        spent[job_id] += spends
        losses[job_id] = losses[job_id] + 1 if outcome == "lost" else 0
        crashes[job_id] += is_crash
    for job_id, status, limit, error_type in tables.look(
        "SELECT id, status, max_retries + 1, error_type FROM jobs"
    ):
        check(spent[job_id] <= limit, "I7 more attempts than allowed", job_id, spent[job_id])
        if status == "failed" and error_type not in (PERMANENT, "DependencyFailed"):
            check(spent[job_id] == limit, "I7 failed too early", job_id, spent[job_id], limit)


def done_jobs_had_their_effect(tables: Tables, effects: EffectLog) -> None:
    """I13, and I14: what ended otherwise, but ran, had been entered."""
    rows = tables.look("SELECT job_id, outcome, lease_token, error_type FROM attempts")
    for job_id, outcome, token, error_type in rows:
        run = effects.runs.get(token)
        if outcome == "succeeded":
            check(run and run.job_id == job_id and run.has_effect, "I13 done, no effect", job_id)
        elif outcome != "released" and error_type not in ("LeaseExpired", "Rebooted"):
            check(run and run.job_id == job_id, "I14 not entered", job_id, outcome, token)
    succeeded = {row[0] for row in rows if row[1] == "succeeded"}
    done = {row[0] for row in tables.look("SELECT id FROM jobs WHERE status = 'done'")}
    check(succeeded == done, "done and succeeded differ", succeeded ^ done)


def attempts_took_what_their_code_did(tables: Tables, fold: Fold, effects: EffectLog) -> None:
    """Not from the lease to the commit; a clock that was set back may make it less."""
    for job_id, token, ran_ms in tables.look(
        "SELECT job_id, lease_token, finished_at_ms - started_at_ms FROM attempts "
        "WHERE outcome = 'succeeded'"
    ):
        run = effects.runs[token]
        took_ms = run.ended_ms - run.began_ms
        is_right = 0 <= ran_ms <= took_ms if fold.wall_peaks else ran_ms == took_ms
        check(is_right, "an attempt that took longer than its code", job_id, ran_ms, took_ms)


def children_are_there_exactly_once(tables: Tables) -> None:
    """I13: what a job enqueues comes with its success, or not at all."""
    made = Counter(
        row[0] for row in tables.look("SELECT payload ->> 'parent' FROM jobs WHERE type = 'child'")
    )
    parents = tables.look(
        "SELECT id, status, payload ->> 'children' FROM jobs "
        "WHERE type = 'asked' AND payload <> '' AND payload ->> 'does' = 'parent'"
    )
    for job_id, status, children in parents:
        expected = children if status == "done" else 0
        check(made[job_id] <= expected, "I13 children without a success", job_id, made[job_id])
        check(made[job_id] == expected, "I13 children", job_id, made[job_id], expected)


def ticks_fired_once(fold: Fold) -> None:
    """Each tick of a schedule made one job; one that catches up left none out.

    A clock that was set back begins anew.
    """
    for name in {tick[0] for tick in fold.ticks}:
        ticks = [(tick_ms, seq) for one, tick_ms, seq in fold.ticks if one == name]
        for (earlier_ms, after), (later_ms, before) in pairwise(ticks):
            if any(after <= seq < before for seq, _ in fold.wall_peaks):
                continue
            check(earlier_ms < later_ms, "a tick fired twice", name, ticks)
            in_order = name != "hourly" or later_ms - earlier_ms == 3_600_000
            check(in_order, "a tick was left out", name, ticks)


def no_schedule_is_silent(tables: Tables, fold: Fold) -> None:
    """Whatever the clock was: the next tick of the present, or the one after it, is waited for."""
    now_ms = fold.clock.wall_ms()
    for name, tick_ms, every_s in tables.look(
        "SELECT name, tick_ms, definition ->> 'every_s' FROM schedules"
    ):
        check(tick_ms <= now_ms + 2_000 * every_s, "a silent schedule", name, tick_ms - now_ms)
