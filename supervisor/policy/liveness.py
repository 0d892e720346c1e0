"""PURE: whether a process is alive and may go on running.

Ages are measured on the supervisor's own monotonic clock, since a sequence number last changed; a
time that a child reports is never compared with it. Each fault shows in one sign:

| beats | main loop | other signs | verdict |
| --- | --- | --- | --- |
| arrive | turns | its heartbeat row is old | degraded: database trouble; never killed |
| arrive | any | a worker alone cannot write to the database | killed |
| arrive | stands, no job | | the main loop is dead: killed |
| arrive | in a job past its hard deadline | | overdue: killed |
| missing | | stopped by a signal | sent SIGCONT, once within a while (`may_be_continued`) |
| missing | | waits for the disk | left alone: no signal helps |
| missing | | neither | hung: killed |
| any | any | holds the write lock without a commit | killed: it keeps all others from writing |
| any | any | far beyond its memory limit | killed |

A program sends no beats: it is judged by its checks (`alive`), its memory and the write lock.
"""

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role
from orpheus.supervisor.policy.slot import (
    Cause,
    Observation,
    OsStatus,
    Process,
    Rules,
    Trigger,
    Verdict,
)

CANNOT_WRITE = "it cannot write to the database"
_MIB = 2**20


def update(process: Process, seen: Observation, rules: Rules, now_s: float, role: Role) -> Process:
    """Return the process with a new observation; an age starts again when its number changed.

    A process without beats may stand still as a whole (stopped, swapped out). Its main loop, its
    row and its writes then keep the ages that they had at its last beat, until it beats again.
    """
    before, beats = process.seen, role is not Role.PROGRAM
    is_ready = seen.ready or now_s >= ready_at_s(process, rules)
    becomes_ready = process.ready_s is None and is_ready
    # The main loop does not turn while it runs a job or waits for the database.
    may_stand = seen.job is not None or not seen.database_ok
    has_beaten = becomes_ready or not beats or seen.beat != before.beat
    has_turned = becomes_ready or not beats or may_stand or seen.loop != before.loop
    # In the API, many requests may wait before its own row, and no job can take its rights away.
    alone = not seen.database_ok and seen.supervisor_writes and role is Role.WORKER
    may_write = becomes_ready or not alone
    has_written = becomes_ready or not beats or seen.row_beat != before.row_beat
    silent_s = max(0.0, now_s - process.beat_s - rules.beat_interval_s) if has_beaten else 0.0
    return replace(
        process,
        seen=seen,
        ready_s=now_s if becomes_ready else process.ready_s,
        beat_s=now_s if has_beaten else process.beat_s,
        loop_s=now_s if has_turned else min(now_s, process.loop_s + silent_s),
        row_s=now_s if has_written else min(now_s, process.row_s + silent_s),
        write_s=now_s if may_write else min(now_s, process.write_s + silent_s),
        recycle=process.recycle or seen.recycle or _passed_limit(process, seen, rules, now_s),
    )


def ready_at_s(process: Process, rules: Rules) -> float:
    """Return when the process is ready just because it ran so long; infinite: it must show it."""
    return float("inf") if rules.ready_after_s is None else process.started_s + rules.ready_after_s


def has_been_ready(process: Process, for_s: float, now_s: float) -> bool:
    """Return whether the process has been ready for that long."""
    return process.ready_s is not None and now_s - process.ready_s >= for_s


def is_silent(process: Process, rules: Rules, now_s: float) -> bool:
    """Return whether its beats have been missing for the beat timeout."""
    return now_s - process.beat_s >= rules.beat_timeout_s


def _passed_limit(process: Process, seen: Observation, rules: Rules, now_s: float) -> str | None:
    if rules.max_memory_bytes and seen.rss_bytes > rules.max_memory_bytes:
        limit = rules.max_memory_bytes // _MIB
        return f"it has grown to {seen.rss_bytes // _MIB} MiB, over {limit} MiB (max_memory_mb)"
    if process.max_age_s and has_been_ready(process, process.max_age_s, now_s):
        return f"it has run for {now_s - (process.ready_s or 0):.0f} s (max_age)"
    return None


def judge(process: Process, rules: Rules, now_s: float) -> Verdict | None:
    """Return why a ready process must be killed; None if it may go on."""
    seen = process.seen
    if seen.job is not None and seen.job.overdue:
        why = f"job {seen.job.id} ({seen.job.type}) past its hard deadline"
        return Verdict(Trigger.FAULT, why, Cause.OVERDUE)
    if seen.unhealthy:
        return Verdict(Trigger.FAULT, seen.unhealthy, Cause.HUNG)
    hard_bytes = rules.max_memory_bytes * rules.hard_memory_factor
    if hard_bytes and seen.rss_bytes > hard_bytes:
        limit = rules.max_memory_bytes // _MIB
        why = f"it has grown to {seen.rss_bytes // _MIB} MiB, far beyond max_memory_mb ({limit})"
        return Verdict(Trigger.FAULT, why, Cause.MEMORY_LIMIT)
    return judge_lock(process, rules) or _judge_ages(process, rules, now_s)


def judge_lock(process: Process, rules: Rules) -> Verdict | None:
    """Return why a process that holds the write lock must be killed; None if it may go on.

    A writer that is stopped, or never reaches its commit, keeps all others from writing until it
    dies. One that waits for the disk is left alone: killing it would not make the disk faster.
    """
    seen = process.seen
    if seen.lock_held_s < rules.lock_hold_s or seen.os_status is OsStatus.UNINTERRUPTIBLE:
        return None
    why = f"it holds the database's write lock for {seen.lock_held_s:.0f} s without a commit"
    return Verdict(Trigger.FAULT, why, Cause.HUNG)


def _judge_ages(process: Process, rules: Rules, now_s: float) -> Verdict | None:
    """Return a verdict on missing beats, a main loop that stands still without a job, or no writes.

    An old heartbeat row alone never kills, nor does a main loop that waits for the database. A
    stopped process is first sent SIGCONT and given half a beat timeout to send a beat.
    """
    seen = process.seen
    beat_age_s = now_s - process.beat_s
    # Ages at the last beat: since then the whole process may stand still, which silence tells.
    loop_age_s, write_age_s = process.beat_s - process.loop_s, process.beat_s - process.write_s
    if is_silent(process, rules, now_s):
        judged_s = judged_after_continue_s(process, rules)
        was_just_continued = judged_s is not None and now_s < judged_s
        waits_for_disk = seen.os_status is OsStatus.UNINTERRUPTIBLE
        if may_be_continued(process, rules, now_s) or waits_for_disk or was_just_continued:
            return None
        why = f"no heartbeat for {beat_age_s:.0f} s{_what_it_does(seen)}"
    elif loop_age_s >= rules.beat_timeout_s and seen.job is None:
        why = f"main loop stuck for {loop_age_s:.0f} s{_what_it_does(seen)}"
    elif write_age_s >= rules.beat_timeout_s:
        # A job may have limited or moved the process: it would keep its leases and end no job.
        why = f"it alone cannot write to the database, for {write_age_s:.0f} s"
    else:
        return None
    return Verdict(Trigger.FAULT, why, Cause.HUNG)


def may_be_continued(process: Process, rules: Rules, now_s: float) -> bool:
    """Return whether it is stopped by a signal and was not sent SIGCONT a while ago.

    A while is more than it takes to judge whether that has helped.
    """
    if process.seen.os_status is not OsStatus.STOPPED:
        return False
    while_s = max(rules.crash_loop_window_s, rules.beat_timeout_s)
    return process.continued_s is None or now_s - process.continued_s >= while_s


def judged_after_continue_s(process: Process, rules: Rules) -> float | None:
    """Return until when a process that was sent SIGCONT may stay silent; None: it never was.

    A beat interval would be too short: on a busy machine, a process that was stopped must first be
    read from swap and get its turn.
    """
    continued_s = process.continued_s
    return None if continued_s is None else continued_s + rules.beat_timeout_s / 2


def _what_it_does(seen: Observation) -> str:
    """Tell a computing process (its code may hold the GIL) from a waiting one."""
    if seen.os_status is OsStatus.STOPPED:
        return ", stopped by a signal again"
    return ""


def degradation(process: Process, rules: Rules, now_s: float) -> str:
    """Return what is wrong with a process that is left running; empty if nothing is."""
    seen, row_age_s = process.seen, now_s - process.row_s
    if is_silent(process, rules, now_s):
        return f"no heartbeat for {now_s - process.beat_s:.0f} s; {seen.os_status}"
    if not seen.database_ok:
        return CANNOT_WRITE
    if seen.row_beat is not None and row_age_s >= rules.beat_timeout_s:
        return f"its heartbeat row is {row_age_s:.0f} s old"
    return ""
