"""PURE: what follows the end of a life: its slot goes down, waits, is started again, or is fatal.

A restart storm is what this prevents (Supervisor#487, puma#1663): each exit is classified
(supervisor/policy/exits.py); those that count double the wait before the next start, and too many
of them make the slot fatal, which is tried once in a while.
"""

from dataclasses import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.supervisor.policy.exits import ExitClass, cause_of, classify, describe, signal_name
from orpheus.supervisor.policy.liveness import is_stable
from orpheus.supervisor.policy.slot import (
    Action,
    Bury,
    Cause,
    Chance,
    Exit,
    Fence,
    Life,
    Rules,
    Slot,
    Tell,
    Timer,
)

KEPT_EXITS = 5
"""So many of the latest exits of a slot are kept."""


def after_exit(
    slot: Slot, life: Life, exit: Exit, rules: Rules, now_s: float, chance: Chance
) -> tuple[Slot, tuple[Action, ...]]:
    """Bury a life, and move its slot to what follows from how it ended."""
    kind = classify(slot, life, exit, rules, now_s)
    reason = describe(slot, life, exit)
    last_exit = LastExit(
        at_ms=chance.wall_ms,
        reason=reason,
        signal=None if exit.signal is None else signal_name(exit.signal),
        code=exit.code,
        evidence=exit.evidence,
        uptime_s=round(now_s - life.started_s, 3),
        out_of_memory=exit.out_of_memory,
    )
    cause = cause_of(slot, life, exit)
    facts = {"cause": cause.value, **_facts(last_exit)}
    actions: list[Action] = [Tell(Kind.WORKER_EXITED, life.incarnation, reason, facts)]
    if life.recycle is not None and not life.jobs_done:
        floor_s = now_s - rules.recycle_window_s
        recent = tuple(at_s for at_s in slot.recycles_s if at_s > floor_s)
        slot = replace(slot, recycles_s=(*recent, now_s))
    ended = replace(
        slot,
        state=SlotState.DOWN,
        life=None,
        timer=None,
        reason=reason,
        degraded="",
        exits=(last_exit, *slot.exits)[:KEPT_EXITS],
        start_failure=slot.start_failure if life.ready_s is None else "",
    )
    match kind:
        case ExitClass.CONFIGURATION:
            slot = _fatal(_failed_to_start(ended, life), reason, rules, now_s)
        case ExitClass.COUNTED:
            slot = _after_failure(ended, life, rules, now_s, chance)
        case _:
            slot = ended  # down; started at once in the next turn if it is still wanted
    if slot.state is SlotState.FATAL:
        actions.append(Tell(Kind.WORKER_FATAL, life.incarnation, slot.reason))
    overdue = life.verdict is Cause.OVERDUE
    return slot, (*actions, Bury(life.incarnation, overdue, cause, last_exit))


def fence(life: Life, why: str, now_s: float, chance: Chance) -> Fence:
    """Tell the slot's leases free although SIGKILL has not ended `life`: it never runs again."""
    last_exit = LastExit(
        at_ms=chance.wall_ms,
        reason=why,
        signal=None,
        code=None,
        evidence=life.condemned,
        uptime_s=round(now_s - life.started_s, 3),
    )
    return Fence(life.incarnation, life.verdict is Cause.OVERDUE, last_exit)


def _failed_to_start(slot: Slot, life: Life) -> Slot:
    return replace(slot, start_failure=slot.reason if life.ready_s is None else "")


def _after_failure(slot: Slot, life: Life, rules: Rules, now_s: float, chance: Chance) -> Slot:
    slot = _failed_to_start(slot, life)
    stable = is_stable(life, rules, now_s)
    floor_s = now_s - rules.crash_loop_window_s
    recent = tuple(at_s for at_s in slot.crashes_s if at_s > floor_s)
    if not stable:
        recent = (*recent, now_s)
    failures = 1 if stable else slot.failures + 1
    slot = replace(slot, failures=failures, crashes_s=recent)
    if slot.on_trial and not stable:
        return _fatal(slot, f"its one try failed: {slot.reason}", rules, now_s)
    if len(recent) >= rules.crash_loop_failures:
        times = f"{len(recent)} failures within {rules.crash_loop_window_s:g} s"
        return _fatal(slot, f"{times}; the last: {slot.reason}", rules, now_s)
    delay_s = _restart_delay_s(failures, rules, chance.uniform)
    return replace(slot, state=SlotState.BACKOFF, timer=Timer(now_s + delay_s, None))


def _fatal(slot: Slot, reason: str, rules: Rules, now_s: float) -> Slot:
    # Without an API its clients wait in the socket's backlog: it is tried more often.
    retry_s = rules.backoff_max_s if slot.role is Role.API else rules.fatal_retry_s
    return replace(
        slot,
        state=SlotState.FATAL,
        reason=reason,
        timer=Timer(now_s + retry_s, None),
        crashes_s=(),
        on_trial=False,
    )


def _restart_delay_s(failures: int, rules: Rules, uniform: float) -> float:
    doubled_s = rules.backoff_base_s * 2.0 ** min(failures - 1, 30)
    return min(rules.backoff_max_s, doubled_s) * (0.5 + uniform / 2)


def _facts(last_exit: LastExit) -> dict[str, object]:
    facts = {
        "signal": last_exit.signal,
        "code": last_exit.code,
        "uptime_s": last_exit.uptime_s,
        "out_of_memory": last_exit.out_of_memory,
        "evidence": last_exit.evidence,
    }
    return {name: value for name, value in facts.items() if value is not None}
