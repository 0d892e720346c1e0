"""PURE: what follows the end of a process: its slot goes down, waits, starts again, or is fatal.

This prevents restart storms (Supervisor#487, puma#1663). Each exit is classified
(supervisor/policy/exits.py). An exit that counts as a failure doubles the wait before the next
start; too many of them make the slot fatal, and then it is retried only every few minutes. A death
in a job is bounded by the retries of that job: if it made the slot fatal too, three poison jobs
would stop a pool.
"""

from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import (
    FAILURES_WITHIN_S,
    MOST_EXITS,
    RECENT_EXITS,
    LastExit,
    Role,
    SlotState,
    signal_name,
)
from orpheus.supervisor.policy.exits import (
    ExitClass,
    cause_of,
    classify,
    describe,
    has_failed,
    is_failure,
)
from orpheus.supervisor.policy.liveness import has_been_ready
from orpheus.supervisor.policy.slot import (
    Action,
    Announce,
    Cause,
    Desired,
    Exit,
    Process,
    ProcessEnded,
    Rules,
    Slot,
    Timer,
    Turn,
)


def after_exit(
    slot: Slot, process: Process, exit: Exit, rules: Rules, turn: Turn
) -> tuple[Slot, tuple[Action, ...]]:
    """Return the slot after the exit of its process, and the actions that follow."""
    if process.recycle is not None and not process.seen.jobs_done:
        recent = _within(slot.recycles_s, rules.recycle_window_s, turn.now_s)
        slot = replace(slot, recycles_s=(*recent, turn.now_s))
    kind = classify(slot, process, exit, rules, turn.now_s)
    failed = is_failure(kind, process, exit)
    last_exit = _last_exit(process, exit, describe(slot, process, exit, kind), turn, failed=failed)
    cause = cause_of(slot, process, exit)
    was_ready = process.ready_s is not None or exit.in_job
    failed_start = slot.start_failure if kind is ExitClass.EXPECTED else last_exit.reason
    ended = replace(
        slot,
        state=SlotState.DOWN,
        process=None,
        timer=None,
        # What else can be wrong with a slot that is to be drained.
        reason=last_exit.reason.removeprefix("drained").removeprefix(", and "),
        degraded="",
        exits=kept_exits(last_exit, *slot.exits),
        start_failure="" if was_ready else failed_start,
    )
    match kind:
        case ExitClass.CONFIGURATION:
            ended = _fatal(ended, last_exit.reason, rules, turn.now_s)
        case ExitClass.DATABASE:
            timer = Timer(turn.now_s + rules.database_retry_s, None)
            ended = replace(ended, state=SlotState.BACKOFF, timer=timer, start_failure="")
        case ExitClass.COUNTED:
            ended = _after_failure(ended, process, rules, turn)
        case ExitClass.ENDED:
            ended = _after_own_end(ended, process, exit, rules)
        case ExitClass.IN_JOB:
            ended = _after_death_in_job(ended, process, exit, rules, turn)
    details = {"cause": cause.value, **_details(last_exit)}
    news = [Announce(Kind.WORKER_EXITED, process.incarnation, last_exit.reason, details)]
    if ended.state is SlotState.FATAL:
        news.append(Announce(Kind.WORKER_FATAL, process.incarnation, ended.reason))
    return ended, (*news, _process_ended(slot, process, last_exit, cause))


def kept_exits(*exits: LastExit) -> tuple[LastExit, ...]:
    """Return the exits of a slot that are kept, the newest first.

    Of failures shortly before the latest exits, only the fact is kept, without evidence: they are
    written with each change of the slot, and evidence may be long.
    """
    latest, before = exits[:RECENT_EXITS], exits[RECENT_EXITS:]
    since_ms = exits[0].at_ms - FAILURES_WITHIN_S * 1000 if exits else 0.0
    counted = (last_exit for last_exit in before if last_exit.failed and last_exit.at_ms > since_ms)
    bare = (replace(last_exit, evidence=None, output=None, jobs=()) for last_exit in counted)
    return (*latest, *bare)[:MOST_EXITS]


def after_survival(slot: Slot, process: Process, why: str, turn: Turn) -> ProcessEnded:
    """Return the order to free the leases of a process that is still there after SIGKILL."""
    last_exit = _last_exit(process, Exit(evidence=process.kill_reason), why, turn, failed=True)
    return _process_ended(slot, process, last_exit, None)


def _process_ended(
    slot: Slot, process: Process, last_exit: LastExit, cause: Cause | None
) -> ProcessEnded:
    overdue = process.kill_cause is Cause.OVERDUE
    was_told = slot.desired is not Desired.UP or process.recycle is not None
    # A SIGKILL mostly comes from the kernel, because memory ran out. If the kernel denies that,
    # somebody has sent it.
    was_sent = cause is Cause.KILLED and last_exit.out_of_memory is False
    was_stopped = process.kill_cause is None and (was_told or was_sent)
    return ProcessEnded(slot.name, process.incarnation, last_exit, cause, overdue, was_stopped)


def _last_exit(process: Process, exit: Exit, reason: str, turn: Turn, *, failed: bool) -> LastExit:
    return LastExit(
        at_ms=turn.wall_ms,
        reason=reason,
        signal=None if exit.signal is None else signal_name(exit.signal),
        code=exit.code,
        evidence=exit.evidence or process.seen.evidence,
        uptime_s=round(turn.now_s - process.started_s, 3),
        out_of_memory=exit.out_of_memory,
        failed=failed,
        output=exit.output,
        jobs=exit.jobs,
    )


def _within(times_s: tuple[float, ...], window_s: float, now_s: float) -> tuple[float, ...]:
    return tuple(at_s for at_s in times_s if at_s > now_s - window_s)


def _after_failure(slot: Slot, process: Process, rules: Rules, turn: Turn) -> Slot:
    stable = has_been_ready(process, rules.stable_s, turn.now_s)
    recent = _within(slot.crashes_s, rules.crash_loop_window_s, turn.now_s)
    recent = recent if stable else (*recent, turn.now_s)
    failures = 1 if stable else slot.failures + 1
    slot = replace(slot, failures=failures, crashes_s=recent)
    if slot.on_trial and not stable:
        return _fatal(slot, f"retry failed: {slot.reason}", rules, turn.now_s)
    if len(recent) >= rules.crash_loop_failures:
        times = f"{len(recent)} failures within {rules.crash_loop_window_s:g} s"
        return _fatal(slot, f"{slot.reason} ({times})", rules, turn.now_s)
    return _backoff(slot, rules, turn)


def _after_own_end(slot: Slot, process: Process, exit: Exit, rules: Rules) -> Slot:
    """Keep a program down if it is not started again; if it failed, it needs attention."""
    why = f'{slot.reason}; restart = "{rules.restart}" keeps it down until it is restarted'
    trouble = why if has_failed(process, exit) else ""
    return replace(slot, desired=Desired.ENDED, reason=why, trouble=trouble, failures=0)


def _after_death_in_job(slot: Slot, process: Process, exit: Exit, rules: Rules, turn: Turn) -> Slot:
    went_well = exit.job_ended or has_been_ready(process, rules.stable_s, turn.now_s)
    failures = 1 if went_well else slot.failures + 1
    return _backoff(replace(slot, failures=failures, on_trial=False), rules, turn)


def _backoff(slot: Slot, rules: Rules, turn: Turn) -> Slot:
    doubled_s = rules.backoff_base_s * 2.0 ** min(slot.failures - 1, 30)
    delay_s = min(rules.backoff_max_s, doubled_s) * (0.5 + turn.uniform / 2)
    return replace(slot, state=SlotState.BACKOFF, timer=Timer(turn.now_s + delay_s, None))


def _fatal(slot: Slot, reason: str, rules: Rules, now_s: float) -> Slot:
    # Without an API, its clients wait in the socket's backlog, so it is retried more often.
    retry_s = rules.backoff_max_s if slot.role is Role.API else rules.fatal_retry_s
    return replace(
        slot,
        state=SlotState.FATAL,
        reason=reason,
        timer=Timer(now_s + retry_s, None),
        crashes_s=(),
        on_trial=False,
    )


def _details(last_exit: LastExit) -> dict[str, object]:
    names = ("signal", "code", "uptime_s", "out_of_memory", "evidence")
    details = {name: getattr(last_exit, name) for name in names}
    return {name: value for name, value in details.items() if value is not None}
