"""PURE: the state machine of a slot. No I/O, no clock, no random number: all are parameters.

    decide(slot, seen, rules, turn) -> (slot, actions)

In each turn: note what was observed; if the process has exited, decide what follows from how it
ended; otherwise find the one trigger that applies now, and look up in TABLE what it leads to.
Nothing waits for an action to succeed: its effect is observed in a later turn.

This design prevents: a stop and a restart that race (`desired` alone says what is wanted); a second
process in a slot (only DOWN, BACKOFF and FATAL start one, and they have no process); a timer that
expires for a later process than its own (timers carry the incarnation); restart storms (every exit
is classified, supervisor/policy/exits.py); and processes killed because the supervisor itself was
suspended (`rebase`). How slots affect each other is in supervisor/policy/fleet.py; whether a
process is alive, in supervisor/policy/liveness.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.aftermath import after_exit, after_survival
from orpheus.supervisor.policy.liveness import (
    CANNOT_WRITE,
    degradation,
    has_been_ready,
    is_silent,
    judge,
    judge_lock,
    judged_after_continue_s,
    may_be_continued,
    ready_at_s,
    update,
)
from orpheus.supervisor.policy.slot import (
    Action,
    Announce,
    Cause,
    Desired,
    Observation,
    Process,
    ProcessCommand,
    Rules,
    SendCommand,
    Slot,
    Timer,
    Trigger,
    Turn,
    Verdict,
)


class SlotTransition(NamedTuple):
    """The next state of a slot, the command to its process, and the event that reports it."""

    enters: SlotState
    command: ProcessCommand | None = None
    event: Kind | None = None


_S, _T = SlotState, Trigger
_SPAWN = SlotTransition(_S.STARTING, ProcessCommand.SPAWN, Kind.WORKER_STARTED)
_DRAIN = SlotTransition(_S.DRAINING, ProcessCommand.DRAIN)
_TERMINATE = SlotTransition(_S.STOPPING, ProcessCommand.TERMINATE)
_ABORT = SlotTransition(_S.KILLING, ProcessCommand.ABORT)
_ABORT_HUNG = SlotTransition(_S.KILLING, ProcessCommand.ABORT, Kind.WORKER_HUNG)
_KILL = SlotTransition(_S.KILLING, ProcessCommand.KILL)

TABLE: dict[tuple[SlotState, Trigger], SlotTransition] = {
    (_S.DOWN, _T.WANTED): _SPAWN,
    (_S.BACKOFF, _T.TIMEOUT): _SPAWN,
    (_S.BACKOFF, _T.REPLACE): _SPAWN,
    (_S.FATAL, _T.TIMEOUT): _SPAWN,
    (_S.FATAL, _T.REPLACE): _SPAWN,
    (_S.BACKOFF, _T.UNWANTED): SlotTransition(_S.DOWN),
    (_S.FATAL, _T.UNWANTED): SlotTransition(_S.DOWN),
    (_S.STARTING, _T.READY): SlotTransition(_S.READY, event=Kind.WORKER_READY),
    (_S.STARTING, _T.UNWANTED): _TERMINATE,
    (_S.STARTING, _T.REPLACE): _TERMINATE,
    (_S.STARTING, _T.TIMEOUT): _ABORT_HUNG,
    (_S.STARTING, _T.FAULT): _ABORT_HUNG,
    (_S.READY, _T.UNWANTED): _TERMINATE,
    (_S.READY, _T.DRAIN): _DRAIN,
    (_S.READY, _T.REPLACE): _DRAIN,
    (_S.READY, _T.RECYCLE): _DRAIN,
    (_S.READY, _T.FAULT): _ABORT_HUNG,
    (_S.DRAINING, _T.UNWANTED): _TERMINATE,
    (_S.DRAINING, _T.TIMEOUT): _TERMINATE,
    (_S.DRAINING, _T.FAULT): _ABORT_HUNG,
    (_S.STOPPING, _T.FAULT): _ABORT_HUNG,
    (_S.STOPPING, _T.TIMEOUT): _ABORT,
    (_S.KILLING, _T.TIMEOUT): _KILL,
    (_S.KILLING, _T.SURVIVED): SlotTransition(_S.STUCK, event=Kind.WORKER_HUNG),
    (_S.STARTING, _T.DEADLINE): _KILL,
    (_S.READY, _T.DEADLINE): _KILL,
    (_S.DRAINING, _T.DEADLINE): _KILL,
    (_S.STOPPING, _T.DEADLINE): _KILL,
    (_S.KILLING, _T.DEADLINE): _KILL,
}

_TERMINATE_HUNG = SlotTransition(_S.STOPPING, ProcessCommand.TERMINATE, Kind.WORKER_HUNG)

PROGRAM_TABLE = TABLE | {
    # It has no job to finish: to drain it is to stop it.
    (_S.READY, _T.DRAIN): _TERMINATE,
    (_S.READY, _T.REPLACE): _TERMINATE,
    (_S.READY, _T.RECYCLE): _TERMINATE,
    # It writes no stack: it is asked to stop, and killed when it does not.
    (_S.STARTING, _T.TIMEOUT): _TERMINATE_HUNG,
    (_S.STARTING, _T.FAULT): _TERMINATE_HUNG,
    (_S.READY, _T.FAULT): _TERMINATE_HUNG,
    (_S.STOPPING, _T.FAULT): _KILL,
    (_S.STOPPING, _T.TIMEOUT): _KILL,
}
"""The same for a foreign program."""

LIMITS_S: dict[ProcessCommand, Callable[[Rules], float]] = {
    ProcessCommand.SPAWN: lambda rules: rules.start_timeout_s,
    ProcessCommand.DRAIN: lambda rules: rules.drain_timeout_s,
    ProcessCommand.TERMINATE: lambda rules: rules.stop_timeout_s,
    ProcessCommand.ABORT: lambda rules: rules.abort_wait_s,
    ProcessCommand.KILL: lambda rules: rules.kill_wait_s,
}
"""How long the state that a command leads to may last."""

_UNWANTED = (Desired.DOWN, Desired.DRAINED, Desired.ENDED)
_LEAVING = (SlotState.DRAINING, SlotState.STOPPING, SlotState.KILLING, SlotState.STUCK)


def decide(
    slot: Slot, seen: Observation, rules: Rules, turn: Turn
) -> tuple[Slot, tuple[Action, ...]]:
    """Return the next state of a slot, and the actions to perform now, in this order."""
    process = slot.process
    if process is not None and seen.incarnation == process.incarnation:
        process = update(process, seen, rules, turn.now_s, slot.role)
        slot = _forgive(replace(slot, process=process), process, rules, turn.now_s)
        if seen.exit is not None:
            return after_exit(slot, process, seen.exit, rules, turn)
    verdict = _find_trigger(slot, rules, turn.now_s)
    if verdict is None:
        return _keep_state(slot, rules, turn.now_s)
    return _enter(slot, verdict, rules, turn)


def with_desired(slot: Slot, desired: Desired, kill_at_s: float | None = None) -> Slot:
    """Return the slot with what it should be; after `kill_at_s` its process is killed at once.

    If it is wanted up again while its process is ending, that process is replaced, because it has
    already been told to end.
    """
    is_ending = slot.process is not None and slot.desired in _UNWANTED and slot.state in _LEAVING
    if desired is Desired.UP and is_ending:
        desired = Desired.REPLACE
    return replace(slot, desired=desired, kill_at_s=kill_at_s)


def rebase(slot: Slot, gap_s: float) -> Slot:
    """Shift every deadline and age by a time in which the supervisor itself did not run.

    Nobody can be blamed for silence while nobody listened (gunicorn and solid_queue killed live
    workers after a suspend, or under load).
    """
    process = slot.process
    if process is not None:
        process = replace(
            process,
            started_s=process.started_s + gap_s,
            ready_s=_shifted(process.ready_s, gap_s),
            beat_s=process.beat_s + gap_s,
            loop_s=process.loop_s + gap_s,
            row_s=process.row_s + gap_s,
            write_s=process.write_s + gap_s,
            continued_s=_shifted(process.continued_s, gap_s),
        )
    timer = slot.timer and replace(slot.timer, at_s=slot.timer.at_s + gap_s)
    return replace(slot, process=process, timer=timer, kill_at_s=_shifted(slot.kill_at_s, gap_s))


def stop_within_s(slot: Slot, rules: Rules, now_s: float) -> float:
    """Return how long a process that is asked to stop now may go on with its job.

    Less than the time until it is killed, so that it releases unfinished jobs itself.
    """
    left_s = rules.stop_timeout_s
    if slot.kill_at_s is not None:
        left_s = min(left_s, slot.kill_at_s - now_s)
    return max(0.0, left_s - rules.stop_margin_s)


def next_wake_s(slot: Slot, rules: Rules, now_s: float) -> float:
    """Return when `decide` may have something to do for the slot if nothing happens until then.

    That is `now_s` if it has something to do already: one turn makes one step.
    """
    if _find_trigger(slot, rules, now_s) is not None:
        return now_s
    times_s = [slot.not_before_s]
    if slot.timer is not None:
        times_s.append(slot.timer.at_s)
    process = slot.process
    if process is not None:
        if slot.kill_at_s is not None:
            times_s.append(slot.kill_at_s)
        if process.ready_s is None:
            times_s.append(ready_at_s(process, rules))
        else:
            changed_s = (process.beat_s, process.loop_s, process.row_s, process.write_s)
            times_s += [at_s + rules.beat_timeout_s for at_s in changed_s]
        if (judged_s := judged_after_continue_s(process, rules)) is not None:
            times_s.append(judged_s)
    safety_poll_s = now_s + min(rules.beat_interval_s, rules.beat_timeout_s / 3)
    return min((at_s for at_s in times_s if now_s < at_s < safety_poll_s), default=safety_poll_s)


def may_speak(slot: Slot, beats_s: float) -> bool:
    """Return whether a message of the slot's process is to be read as soon as it comes.

    `beats_s`: when the last beats were due. A process that is ready and has sent its beat since has
    nothing to say that cannot wait for the next beats; if it ends, its pidfd tells.
    """
    process = slot.process
    return process is None or slot.state is not SlotState.READY or process.beat_s < beats_s


def _shifted(at_s: float | None, gap_s: float) -> float | None:
    return None if at_s is None else at_s + gap_s


def _forgive(slot: Slot, process: Process, rules: Rules, now_s: float) -> Slot:
    """Forget earlier failures once the process has been ready for a while."""
    if (slot.on_trial or slot.failures) and has_been_ready(process, rules.stable_s, now_s):
        return replace(slot, failures=0, on_trial=False)
    return slot


# The trigger that applies


def _find_trigger(slot: Slot, rules: Rules, now_s: float) -> Verdict | None:
    process, due = slot.process, _is_due(slot, now_s)
    if process is None:
        return _trigger_without_process(slot, rules, due, now_s)
    if slot.kill_at_s is not None and now_s >= slot.kill_at_s and not process.killed:
        return Verdict(Trigger.DEADLINE, "the shutdown's deadline has passed")
    verdict = None
    match slot.state:
        case SlotState.STARTING:
            verdict = _trigger_of_start(slot, process, rules)
        case SlotState.READY | SlotState.DRAINING:
            verdict = _trigger_of_work(slot, process, rules, now_s)
        case SlotState.STOPPING:
            verdict = judge_lock(process, rules)
    return verdict or (_trigger_of_timer(slot.state, process, rules) if due else None)


def _trigger_without_process(slot: Slot, rules: Rules, due: bool, now_s: float) -> Verdict | None:
    is_unwanted = slot.desired in _UNWANTED
    if slot.desired is Desired.ENDED:  # `restart` may have been changed since
        is_unwanted = rules.restart.keeps_down(failed=bool(slot.trouble))
    if slot.state is SlotState.DOWN:
        must_wait = is_unwanted or now_s < slot.not_before_s or slot.held_back
        return None if must_wait else Verdict(Trigger.WANTED)
    if is_unwanted:
        return Verdict(Trigger.UNWANTED)
    if slot.held_back:
        return None
    if slot.desired is Desired.REPLACE:
        return Verdict(Trigger.REPLACE)
    return Verdict(Trigger.TIMEOUT) if due else None


def _trigger_of_start(slot: Slot, process: Process, rules: Rules) -> Verdict | None:
    if slot.desired in _UNWANTED:
        return Verdict(Trigger.UNWANTED)
    if slot.desired is Desired.REPLACE:
        return Verdict(Trigger.REPLACE)
    if process.ready_s is not None:
        return Verdict(Trigger.READY)
    if process.seen.unhealthy:
        return Verdict(Trigger.FAULT, process.seen.unhealthy, Cause.HUNG)
    return judge_lock(process, rules)


STAYS_DOWN = "down until it or Orpheus is restarted"
"""The reason of a slot whose process finishes its job because the slot was drained."""
_NO_LONGER_WANTED = {
    Desired.DRAINED: Verdict(Trigger.DRAIN, STAYS_DOWN),
    Desired.REPLACE: Verdict(Trigger.REPLACE),
}


def _trigger_of_work(slot: Slot, process: Process, rules: Rules, now_s: float) -> Verdict | None:
    if slot.desired is Desired.DOWN:
        return Verdict(Trigger.UNWANTED)
    fault = judge(process, rules, now_s)
    if fault is not None or slot.state is SlotState.DRAINING:
        return fault
    if slot.desired in _NO_LONGER_WANTED:
        return _NO_LONGER_WANTED[slot.desired]
    return None if process.recycle is None else Verdict(Trigger.RECYCLE, process.recycle)


def _trigger_of_timer(state: SlotState, process: Process, rules: Rules) -> Verdict | None:
    match state:
        case SlotState.STARTING if not process.seen.database_ok:
            return None  # a start that waits for the database (a full disk) goes on once it can
        case SlotState.STARTING:
            found = f" ({process.seen.unready})" if process.seen.unready else ""
            why = f"not ready within {rules.start_timeout_s:g} s{found}"
            return Verdict(Trigger.TIMEOUT, why, Cause.START_TIMEOUT)
        case SlotState.DRAINING:
            return Verdict(Trigger.TIMEOUT, f"not drained within {rules.drain_timeout_s:g} s")
        case SlotState.STOPPING:
            return Verdict(Trigger.TIMEOUT, f"not stopped within {rules.stop_timeout_s:g} s")
        case SlotState.KILLING if process.killed:
            return Verdict(Trigger.SURVIVED, f"still there {rules.kill_wait_s:g} s after SIGKILL")
        case SlotState.KILLING:
            return Verdict(Trigger.TIMEOUT, process.kill_reason or "")
    return None


def _is_due(slot: Slot, now_s: float) -> bool:
    incarnation = slot.process.incarnation if slot.process else None
    timer = slot.timer
    return timer is not None and timer.incarnation == incarnation and now_s >= timer.at_s


# What follows


def _keep_state(slot: Slot, rules: Rules, now_s: float) -> tuple[Slot, tuple[Action, ...]]:
    """Note what is wrong with a process that is left running; continue it if it is stopped."""
    process = slot.process
    if process is None or slot.state not in (SlotState.READY, SlotState.DRAINING):
        is_waiting = slot.state is SlotState.STARTING and not (process and process.seen.database_ok)
        degraded = CANNOT_WRITE if is_waiting else ""
        return slot if degraded == slot.degraded else replace(slot, degraded=degraded), ()
    if is_silent(process, rules, now_s) and may_be_continued(process, rules, now_s):
        process = replace(process, continued_s=now_s)
        slot = replace(slot, process=process, degraded="it was stopped; sent SIGCONT")
        return slot, (SendCommand(ProcessCommand.CONTINUE, process.incarnation),)
    degraded = degradation(process, rules, now_s)
    return slot if degraded == slot.degraded else replace(slot, degraded=degraded), ()


def _enter(
    slot: Slot, verdict: Verdict, rules: Rules, turn: Turn
) -> tuple[Slot, tuple[Action, ...]]:
    """Make the transition that the table names."""
    table = PROGRAM_TABLE if slot.role is Role.PROGRAM else TABLE
    enters, command, event = table[slot.state, verdict.trigger]
    process, now_s = slot.process, turn.now_s
    if command is ProcessCommand.SPAWN:
        slot, process = _started(slot), _new_process(slot, rules, turn)
    elif process is not None and (enters is SlotState.KILLING or verdict.cause):
        process = replace(
            process,
            kill_reason=process.kill_reason or verdict.why,
            kill_cause=process.kill_cause or verdict.cause,
            killed=command is ProcessCommand.KILL,
        )
    incarnation = process.incarnation if process else None
    timer = Timer(now_s + LIMITS_S[command](rules), incarnation) if command else None
    slot = replace(
        slot, state=enters, reason=verdict.why, degraded="", process=process, timer=timer
    )
    actions: list[Action] = []
    if command is not None and incarnation is not None:
        is_stopping = command is ProcessCommand.TERMINATE
        within_s = stop_within_s(slot, rules, now_s) if is_stopping else None
        actions.append(SendCommand(command, incarnation, within_s))
    if event is not None:
        actions.append(Announce(event, incarnation, verdict.why))
    if verdict.trigger is Trigger.SURVIVED and process is not None:
        actions.append(after_survival(slot, process, verdict.why, turn))
    return slot, tuple(actions)


def _new_process(slot: Slot, rules: Rules, turn: Turn) -> Process:
    max_age_s = rules.max_age_s * (0.9 + turn.uniform / 10)
    seen = Observation(turn.incarnation)
    return Process(turn.incarnation, turn.now_s, slot.fingerprint, max_age_s, seen)


def _started(slot: Slot) -> Slot:
    """Return the slot with one start more; a restart by an operator forgets earlier failures."""
    by_operator = slot.desired is Desired.REPLACE
    slot = replace(
        slot,
        starts=slot.starts + 1,
        desired=Desired.UP,
        trouble="",
        on_trial=slot.state is SlotState.FATAL or slot.on_trial,
    )
    return replace(slot, failures=0, crashes_s=(), on_trial=False) if by_operator else slot
