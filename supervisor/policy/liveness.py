"""PURE: is it alive, and may it stay? What is known of a life, and the verdict on it.

Ages are the supervisor's own monotonic time since a sequence number last changed: what a child
says of time is never compared with it. Each verdict names the one signal that gives it away:

| beats | main loop | what else | verdict |
| --- | --- | --- | --- |
| come | turns | its heartbeat row is old | degraded: the database is in trouble; never killed |
| come | stands, no job | | dead main loop: killed |
| come | in a job past its hard deadline | | overdue: killed |
| stopped | | stopped by a signal | continued once |
| stopped | | waits for a disk | waited for: no signal helps |
| stopped | | else | hung: killed |
| any | any | holds the write lock and commits nothing | killed: everybody waits for it |
| any | any | far beyond its memory limit | killed |
"""

from dataclasses import replace
from typing import NamedTuple

from orpheus.supervisor.policy.slot import Cause, Life, OsStatus, Rules, Seen

_BUSY_CPU_PERCENT = 50.0
_MIB = 2**20


class Verdict(NamedTuple):
    """A life must be killed: why, as it is counted, and in words."""

    cause: Cause
    why: str


def take_in(life: Life, seen: Seen, rules: Rules, now_s: float) -> Life:
    """What is known of a life after this observation. Ages count from when a number changed."""
    becomes_ready = life.ready_s is None and seen.ready
    # A main loop that runs a job does not turn, nor does one that waits for the database.
    may_stand = seen.job is not None or not seen.database_ok
    has_beaten = becomes_ready or seen.beat != life.beat
    has_turned = becomes_ready or may_stand or seen.loop != life.loop
    has_written = becomes_ready or seen.row_beat != life.row_beat
    return replace(
        life,
        ready_s=now_s if becomes_ready else life.ready_s,
        beat=seen.beat,
        beat_s=now_s if has_beaten else life.beat_s,
        loop=seen.loop,
        loop_s=now_s if has_turned else life.loop_s,
        row_beat=seen.row_beat,
        row_s=now_s if has_written else life.row_s,
        job=seen.job,
        jobs_done=seen.jobs_done,
        database_ok=seen.database_ok,
        os_status=seen.os_status,
        cpu_percent=seen.cpu_percent,
        rss_bytes=seen.rss_bytes,
        lock_held_s=seen.lock_held_s,
        recycle=life.recycle or seen.recycle or _past_a_limit(life, seen, rules, now_s),
        failed=life.failed or seen.failed,
    )


def is_stable(life: Life, rules: Rules, now_s: float) -> bool:
    """Whether it has been ready for so long that it started well: its crash is its own."""
    return life.ready_s is not None and now_s - life.ready_s >= rules.stable_s


def _past_a_limit(life: Life, seen: Seen, rules: Rules, now_s: float) -> str | None:
    if rules.max_memory_bytes and seen.rss_bytes > rules.max_memory_bytes:
        return f"it has grown to {seen.rss_bytes // _MIB} MiB (max_memory_mb)"
    if life.max_age_s and life.ready_s is not None and now_s - life.ready_s >= life.max_age_s:
        return f"it has lived for {now_s - life.ready_s:.0f} s (max_age)"
    return None


def judge(life: Life, rules: Rules, now_s: float) -> Verdict | None:
    """Why a life that is ready must be killed; None where it lives, or may yet."""
    if life.job is not None and life.job.overdue:
        return Verdict(Cause.OVERDUE, f"job {life.job.id} ({life.job.type}) past its hard deadline")
    hard_bytes = rules.max_memory_bytes * rules.hard_memory_factor
    if hard_bytes and life.rss_bytes > hard_bytes:
        why = f"it has grown to {life.rss_bytes // _MIB} MiB, far beyond max_memory_mb"
        return Verdict(Cause.MEMORY_LIMIT, why)
    if why := blocks_everyone(life, rules) or _hung(life, rules, now_s):
        return Verdict(Cause.HUNG, why)
    return None


def blocks_everyone(life: Life, rules: Rules) -> str:
    """It holds the write lock, stopped or without reaching a commit; empty if it does not.

    A frozen writer blocks all others until it dies. One that waits for the disk is not killed:
    it holds the lock for a reason that a signal does not mend.
    """
    if life.lock_held_s < rules.lock_hold_s or life.os_status is OsStatus.UNINTERRUPTIBLE:
        return ""
    return f"it holds the database's write lock for {life.lock_held_s:.0f} s without a commit"


def _hung(life: Life, rules: Rules, now_s: float) -> str:
    """Beats that do not come, or a main loop that stands without a job; empty: neither.

    A stale row alone never kills, nor a main loop that stands while the beats tell that it has no
    database. A stopped process gets SIGCONT and a beat's time first.
    """
    beat_age_s, loop_age_s = now_s - life.beat_s, now_s - life.loop_s
    if beat_age_s >= rules.beat_timeout_s:
        continued_just_now = (
            life.continued_s is not None and now_s - life.continued_s < rules.beat_interval_s
        )
        waits_for_disk = life.os_status is OsStatus.UNINTERRUPTIBLE
        if may_be_continued(life) or waits_for_disk or continued_just_now:
            return ""
        return f"no heartbeat for {beat_age_s:.0f} s{_what_it_does(life)}"
    if loop_age_s >= rules.beat_timeout_s and life.job is None:
        return f"main loop stuck for {loop_age_s:.0f} s{_what_it_does(life)}"
    return ""


def may_be_continued(life: Life) -> bool:
    """It is stopped by a signal, and has not been sent SIGCONT yet."""
    return life.os_status is OsStatus.STOPPED and life.continued_s is None


def _what_it_does(life: Life) -> str:
    """Busy: its code keeps the interpreter for itself; else it waits for something."""
    if life.os_status is OsStatus.STOPPED:
        return ", stopped by a signal again"
    if life.cpu_percent is not None and life.cpu_percent >= _BUSY_CPU_PERCENT:
        return f", busy: {life.cpu_percent:.0f} % of a core"
    return ""


def degradation(life: Life, rules: Rules, now_s: float) -> str:
    """What is wrong with a life that is left alive; empty: nothing."""
    beat_age_s, row_age_s = now_s - life.beat_s, now_s - life.row_s
    if beat_age_s >= rules.beat_timeout_s:
        return f"no heartbeat for {beat_age_s:.0f} s; {life.os_status}"
    if not life.database_ok:
        return "it cannot write to the database"
    if life.row_beat is not None and row_age_s >= rules.beat_timeout_s:
        return f"its heartbeat row is {row_age_s:.0f} s old"
    return ""
