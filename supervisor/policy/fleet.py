"""PURE: how slots affect each other: which exist, which is replaced when, which tries first.

A fleet maps keys to slots. A slot's key is its name, except for two kinds of companions:
`NAME+` is the replacement of the API, and in development of a worker. It takes over once it is
ready: meanwhile no connection is refused, and job code that was saved does not stop the work if it
does not import. `NAME~INCARNATION` is a process set aside: an old process that was replaced so, the
worker of a pool that has become a program (or the other way round), or a process that SIGKILL did
not end. A companion is never shown, and is removed when its process ends.

This prevents: a reload that restarts everything at once; a new configuration or new job code that
takes down a whole pool because no process starts with it (a rolling restart stops at the first
failure); and many slots that all retry the same broken start.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import count

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy import order
from orpheus.supervisor.policy.aftermath import kept_exits
from orpheus.supervisor.policy.liveness import has_been_ready
from orpheus.supervisor.policy.slot import Desired, Rules, Slot, Timer
from orpheus.supervisor.policy.state_machine import with_desired

Fleet = Mapping[str, Slot]

STAGGER_S = 0.05
_ROLLED_PART = 4
"""At most one in this many slots of a pool is replaced at a time."""
_OUTDATED = "outdated"
_UNFREED = "waits until the leases of its last process are freed"


class WantedSlot(msgspec.Struct, frozen=True):
    """A slot that is wanted, and the fingerprint that its process should have."""

    name: str
    pool: str | None
    role: Role
    fingerprint: str
    """Changes whenever a running process of this slot would have to be restarted."""
    after: tuple[str, ...] = ()


def reconcile(slots: Fleet, wanted: Collection[WantedSlot], now_s: float) -> dict[str, Slot]:
    """Return the fleet of the wanted slots: new ones start, missing ones drain and are removed."""
    result: dict[str, Slot] = {}
    owners = {(wanted_slot.name, wanted_slot.role, wanted_slot.pool) for wanted_slot in wanted}
    starts_s = (now_s + number * STAGGER_S for number in count())
    for wanted_slot in wanted:
        slot = slots.get(wanted_slot.name)
        if slot is not None and (slot.role, slot.pool) != (wanted_slot.role, wanted_slot.pool):
            if slot.process is not None:  # until it ends, the rules of its old pool hold
                result[_aside_key(slot)] = _set_aside(slot, Desired.DRAINED)
            slot = None
        if slot is None:
            slot = Slot(
                wanted_slot.name, wanted_slot.pool, wanted_slot.role, not_before_s=next(starts_s)
            )
        elif slot.retired:
            slot = with_desired(replace(slot, retired=False), Desired.UP)
        elif slot.desired is Desired.ENDED and slot.fingerprint != wanted_slot.fingerprint:
            slot = replace(slot, desired=Desired.UP, trouble="")
        result[wanted_slot.name] = replace(
            slot, fingerprint=wanted_slot.fingerprint, after=wanted_slot.after
        )
    for key, slot in slots.items():
        if key not in result:
            is_companion = (slot.name, slot.role, slot.pool) in owners
            result[key] = slot if is_companion else retire(slot, Desired.DRAINED)
    return order.hold_back(result)


def retire(slot: Slot, desired: Desired) -> Slot:
    """Return the slot so that it is removed once its process has ended as `desired` says."""
    if slot.desired is Desired.DOWN:
        desired = Desired.DOWN
    return replace(with_desired(slot, desired, slot.kill_at_s), retired=True)


def retry_failed(slots: Fleet) -> dict[str, Slot]:
    """Start every slot in backoff or fatal at once: the reason for its failure may be mended."""
    return {key: _replace(slot) if _has_failed(slot) else slot for key, slot in slots.items()}


def _has_failed(slot: Slot) -> bool:
    return slot.state in (SlotState.BACKOFF, SlotState.FATAL) and slot.desired is Desired.UP


def _replace(slot: Slot) -> Slot:
    return replace(with_desired(slot, Desired.REPLACE), held_back="", start_failure="")


def rolling_restart(slots: Fleet, roles: Collection[Role] = tuple(Role)) -> dict[str, Slot]:
    """Mark the processes of these roles as outdated, so that `advance` replaces them in turn."""
    return {key: _outdated(slot) if slot.role in roles else slot for key, slot in slots.items()}


def _outdated(slot: Slot) -> Slot:
    process = slot.process and replace(slot.process, fingerprint=_OUTDATED)
    return replace(slot, process=process)


def restart(slots: Fleet, name: str) -> dict[str, Slot]:
    """Return the fleet so that the slot soon has a new process, whatever its state is."""
    replacement = slots.get(_replacement_key(name))
    if replacement is not None and _has_failed(replacement):
        return {**slots, _replacement_key(name): _replace(replacement)}
    slot = slots[name]
    if slot.state is SlotState.DOWN:
        slot = replace(slot, desired=Desired.UP, held_back="", start_failure="")
    elif slot.role is Role.API and slot.state is SlotState.READY and slot.desired is Desired.UP:
        slot = _outdated(slot)  # its replacement starts first
    else:
        slot = _replace(slot)
    return {**slots, name: slot}


def drain(slot: Slot) -> Slot:
    """Return the slot so that it goes down after its running job, until it is restarted."""
    return with_desired(slot, Desired.DRAINED, slot.kill_at_s)


def advance(
    slots: Fleet, rules: Rules, now_s: float, unfreed: Collection[str] = ()
) -> dict[str, Slot]:
    """Take one step of everything that slots do to each other; `rules` are the common ones.

    `unfreed`: the names of slots in which a process has ended whose leases are not freed yet.
    """
    fleet = _start_replacements(_set_stuck_aside(remove_ended(slots), rules, now_s), rules)
    for members in _pools(fleet):
        if not any(_is_replaced_first(slot, rules) for slot in members.values()):
            fleet.update(_roll(members))
        fleet.update(_hold_back({key: fleet[key] for key in members}, rules, now_s))
    return order.hold_back(_hold_until_freed(fleet, unfreed))


def remove_ended(slots: Fleet) -> dict[str, Slot]:
    """Remove retired slots without a process; a companion's exits are shown by its slot."""
    kept = {key: slot for key, slot in slots.items() if not _is_over(slot)}
    for slot in slots.values():
        owner = kept.get(slot.name)
        if _is_over(slot) and owner is not None:
            kept[slot.name] = replace(owner, exits=kept_exits(*slot.exits, *owner.exits))
    return kept


def _is_over(slot: Slot) -> bool:
    return slot.retired and slot.process is None


def _pools(slots: Fleet) -> Iterable[dict[str, Slot]]:
    pools: defaultdict[str, dict[str, Slot]] = defaultdict(dict)
    for key, slot in slots.items():
        if slot.pool is not None and not slot.retired:
            pools[slot.pool][key] = slot
    return pools.values()


def is_outdated(slot: Slot) -> bool:
    """Return whether its process runs something else than the slot should."""
    return slot.process is not None and slot.process.fingerprint != slot.fingerprint


def is_replacing_api(slots: Fleet) -> bool:
    """Return whether an old API still runs that is to end."""
    return any(
        slot.role is Role.API and slot.process is not None and (slot.retired or is_outdated(slot))
        for slot in slots.values()
    )


# Replacing


def _roll(members: Fleet) -> dict[str, Slot]:
    """Replace outdated processes while enough of the pool is ready; starting ones at once."""
    wanted = [s for s in members.values() if s.desired in (Desired.UP, Desired.REPLACE)]
    ready = [s for s in wanted if s.state is SlotState.READY and s.desired is Desired.UP]
    allowed = max(1, len(wanted) // _ROLLED_PART) - (len(wanted) - len(ready))
    changed = {}
    idle_first = sorted(members.items(), key=lambda item: _runs_job(item[1]))
    for key, slot in idle_first:
        if slot.desired is not Desired.UP or not is_outdated(slot):
            continue
        is_ready = slot.state is SlotState.READY
        if slot.state is SlotState.STARTING or (is_ready and allowed > 0):
            allowed -= is_ready
            changed[key] = with_desired(slot, Desired.REPLACE)
    return changed


def _runs_job(slot: Slot) -> bool:
    return slot.process is not None and slot.process.seen.job is not None


def _is_replaced_first(slot: Slot, rules: Rules) -> bool:
    return slot.role is Role.API or (slot.role is Role.WORKER and rules.replacements_first)


def _start_replacements(slots: Fleet, rules: Rules) -> dict[str, Slot]:
    """Start a replacement for an outdated process; let it take over once it is ready."""
    changed = dict(slots)
    for key, slot in slots.items():
        if key != slot.name or slot.retired:
            continue
        replacement_key = _replacement_key(key)
        replacement = slots.get(replacement_key)
        if replacement is None and not _is_replaced_first(slot, rules):
            continue
        has_died = slot.process is None
        must_end = is_outdated(slot) and slot.desired is Desired.UP
        if replacement is None:
            if must_end and slot.state is SlotState.READY:
                new = Slot(slot.name, slot.pool, slot.role, fingerprint=slot.fingerprint)
                changed[replacement_key] = new
            elif must_end and slot.state is SlotState.STARTING:
                changed[key] = with_desired(slot, Desired.REPLACE)
        elif replacement.state is SlotState.READY or (has_died and replacement.process):
            del changed[replacement_key]
            changed.update(_take_over(slot, replacement))
        elif not must_end:
            del changed[replacement_key]
            changed[_aside_key(replacement)] = _set_aside(replacement, Desired.DOWN)
            exits = kept_exits(*replacement.exits, *slot.exits)
            changed[key] = replace(slot, trouble="", exits=exits)
        else:
            replacement = replace(replacement, fingerprint=slot.fingerprint)
            if is_outdated(replacement) and replacement.state is SlotState.STARTING:
                replacement = with_desired(replacement, Desired.REPLACE)
            changed[replacement_key] = replacement
            is_failing = replacement.state in (SlotState.BACKOFF, SlotState.FATAL)
            trouble = f"its replacement does not start: {replacement.reason}" if is_failing else ""
            changed[key] = replace(slot, trouble=trouble)
    return changed


def _replacement_key(name: str) -> str:
    return f"{name}+"


def _take_over(slot: Slot, replacement: Slot) -> dict[str, Slot]:
    starts = slot.starts + replacement.starts
    exits = kept_exits(*replacement.exits, *slot.exits)
    replacement = replace(replacement, starts=starts, exits=exits)
    if slot.process is None:
        return {slot.name: replacement}
    return {slot.name: replacement, _aside_key(slot): _set_aside(slot, Desired.REPLACE)}


def _aside_key(slot: Slot) -> str:
    return f"{slot.name}~{slot.process.incarnation if slot.process else ''}"


def _set_aside(slot: Slot, desired: Desired) -> Slot:
    """Return the companion that its process becomes. The exits before stay with the slot."""
    return replace(retire(slot, desired), exits=())


def _set_stuck_aside(slots: Fleet, rules: Rules, now_s: float) -> dict[str, Slot]:
    """Free the slot of a process that SIGKILL did not end, so that another one can start in it."""
    changed: dict[str, Slot] = {}
    for key, slot in slots.items():
        changed[key] = slot
        if slot.state is SlotState.STUCK and not slot.retired:
            changed[_aside_key(slot)] = _set_aside(slot, Desired.DOWN)
            changed[key] = replace(
                slot,
                state=SlotState.BACKOFF,
                process=None,
                timer=Timer(now_s + rules.kill_wait_s, None),
                failures=slot.failures + 1,
            )
    return changed


# Starting one after another


def _hold_until_freed(slots: Fleet, unfreed: Collection[str]) -> dict[str, Slot]:
    """Hold back a worker until the leases of the one before it are freed.

    Only then do the crashes of its jobs count. If the database is slow, workers would else start
    jobs of a type that has already killed enough of them to be quarantined.
    """
    return {
        key: replace(slot, held_back=_UNFREED) if _waits_for(slot, unfreed) else slot
        for key, slot in slots.items()
    }


def _waits_for(slot: Slot, unfreed: Collection[str]) -> bool:
    return slot.name in unfreed and slot.role is Role.WORKER and slot.process is None


def _hold_back(members: Fleet, rules: Rules, now_s: float) -> dict[str, Slot]:
    """When half of a pool fails to start in the same way, let one slot try until it stays up."""
    wanted = {k: s for k, s in members.items() if s.desired in (Desired.UP, Desired.REPLACE)}
    failing = [slot for slot in wanted.values() if slot.start_failure]
    if any(has_been_ready(s.process, rules.trial_s, now_s) for s in failing if s.process):
        return {key: replace(slot, start_failure="", held_back="") for key, slot in members.items()}
    alike = max(Counter(slot.start_failure for slot in failing).values(), default=0)
    if alike < max(2, (len(wanted) + 1) // 2):
        return {key: replace(slot, held_back="") for key, slot in members.items()}
    leader = next((slot for slot in failing if slot.process), failing[0])
    why = f"waits for {leader.name} to stay up"
    return {
        key: replace(slot, held_back=why if key in wanted and slot is not leader else "")
        for key, slot in members.items()
        if slot.process is None
    }
