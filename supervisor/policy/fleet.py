"""PURE: what slots owe to each other: which there are, who is replaced when, who tries first.

A fleet is a mapping of keys to slots. A slot's key is its name, but for two kinds of companions:
`api+` is the API's successor, which takes its place once it is ready (so that no request meets a
closed door), and `NAME~INCARNATION` is a life set aside: an old API that is still answering, a
process that SIGKILL did not end. Companions are never shown, and go with their life.

What this prevents: a reload that restarts everything at once, a new configuration or new job code
that takes a whole pool down because no life of it starts (the roll stops at the first), and a
hundred slots that try the same broken start in a hundred rhythms.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.aftermath import KEPT_EXITS
from orpheus.supervisor.policy.slot import Desired, Life, Rules, Slot, Timer
from orpheus.supervisor.policy.state_machine import want

Fleet = Mapping[str, Slot]

STAGGER_S = 0.05
_ROLLED_PART = 4
"""At most so large a part of a pool is replaced at a time: a quarter."""
_OUTDATED = "outdated"
_WITHOUT_LIFE = (SlotState.DOWN, SlotState.BACKOFF, SlotState.FATAL)


@dataclass(frozen=True, slots=True)
class Place:
    """A slot that is wanted, and what its life is to be (`runs` changes with its settings)."""

    name: str
    pool: str | None
    role: Role
    runs: str


def arrange(slots: Fleet, places: Sequence[Place], now_s: float) -> dict[str, Slot]:
    """The fleet with exactly these places: what is new starts, what is missing drains and goes."""
    arranged: dict[str, Slot] = {}
    names = {place.name for place in places}
    new = 0
    for place in places:
        slot = slots.get(place.name)
        if slot is None:
            not_before_s = now_s + new * STAGGER_S
            new += 1
            slot = Slot(place.name, place.pool, place.role, not_before_s=not_before_s)
        elif slot.retired:
            slot = want(replace(slot, retired=False), Desired.UP)
        arranged[place.name] = replace(slot, runs=place.runs)
    for key, slot in slots.items():
        if key not in arranged:
            is_companion = slot.name in names
            arranged[key] = slot if is_companion else retire(slot, Desired.DRAINED)
    return arranged


def retire(slot: Slot, desired: Desired) -> Slot:
    """The slot goes once its life has ended in the way `desired` says."""
    if slot.desired is Desired.DOWN:
        desired = Desired.DOWN
    return replace(want(slot, desired, slot.kill_at_s), retired=True)


def try_again(slots: Fleet) -> dict[str, Slot]:
    """Whatever waits or has given up starts at once: what it failed for may be mended."""
    return {key: _again(slot) if _waits(slot) else slot for key, slot in slots.items()}


def _waits(slot: Slot) -> bool:
    return slot.state in (SlotState.BACKOFF, SlotState.FATAL) and slot.desired is Desired.UP


def _again(slot: Slot) -> Slot:
    return replace(want(slot, Desired.REPLACE), held_back="", start_failure="")


def outdate(slots: Fleet) -> dict[str, Slot]:
    """Every life is to be replaced, a few at a time (`advance`)."""
    return {key: _outdated(slot) for key, slot in slots.items()}


def _outdated(slot: Slot) -> Slot:
    return slot if slot.life is None else replace(slot, life=replace(slot.life, runs=_OUTDATED))


def restarted(slots: Fleet, name: str) -> dict[str, Slot]:
    """The fleet with a new life in that slot soon, whatever state it is in."""
    heir = slots.get(_heir_key(name))
    if heir is not None and _waits(heir):
        return {**slots, _heir_key(name): _again(heir)}
    return {**slots, name: _restart(slots[name])}


def _restart(slot: Slot) -> Slot:
    if slot.state is SlotState.DOWN:
        return replace(slot, desired=Desired.UP, held_back="", start_failure="")
    if slot.role is Role.API and slot.state is SlotState.READY and slot.desired is Desired.UP:
        return _outdated(slot)  # its successor comes first
    return _again(slot)


def drain(slot: Slot) -> Slot:
    """The slot down once its job is done, until it is restarted."""
    return want(slot, Desired.DRAINED, slot.kill_at_s)


def advance(slots: Fleet, rules: Rules, now_s: float) -> dict[str, Slot]:
    """One step of everything that slots do to each other; `rules` for their common durations."""
    kept = _set_stuck_aside(swept(slots), rules, now_s)
    kept = _succeed(kept)
    for members in _pools(kept):
        kept.update(_rolled(members))
        kept.update(_held_back({key: kept[key] for key in members}, rules, now_s))
    return kept


def swept(slots: Fleet) -> dict[str, Slot]:
    """The fleet without what was to go and has ended; how a companion ended is told by its slot."""
    kept = {key: slot for key, slot in slots.items() if not _is_over(slot)}
    for slot in slots.values():
        heir = kept.get(slot.name)
        if _is_over(slot) and heir is not None:
            ended = [one for one in slot.exits if one not in heir.exits]
            kept[slot.name] = replace(heir, exits=(*ended, *heir.exits)[:KEPT_EXITS])
    return kept


def _is_over(slot: Slot) -> bool:
    return slot.retired and slot.life is None


def _pools(slots: Fleet) -> Iterator[dict[str, Slot]]:
    pools: defaultdict[str, dict[str, Slot]] = defaultdict(dict)
    for key, slot in slots.items():
        if slot.pool is not None and not slot.retired:
            pools[slot.pool][key] = slot
    yield from pools.values()


def is_outdated(slot: Slot) -> bool:
    """Its life is not what it should be."""
    return slot.life is not None and slot.life.runs != slot.runs


def is_replacing_api(slots: Fleet) -> bool:
    """An API that is on the way out still runs."""
    return any(
        slot.role is Role.API and slot.life is not None and (slot.retired or is_outdated(slot))
        for slot in slots.values()
    )


# Replacing


def _rolled(members: Fleet) -> dict[str, Slot]:
    """Replace outdated lives while enough of the pool works; what is not ready yet, at once."""
    wanted = [s for s in members.values() if s.desired in (Desired.UP, Desired.REPLACE)]
    at_work = [s for s in wanted if s.state is SlotState.READY and s.desired is Desired.UP]
    may_go = max(1, len(wanted) // _ROLLED_PART) - (len(wanted) - len(at_work))
    changed = {}
    idle_first = sorted(members.items(), key=lambda item: _is_in_a_job(item[1]))
    for key, slot in idle_first:
        if slot.desired is not Desired.UP or not is_outdated(slot):
            continue
        if slot.state is SlotState.STARTING:
            changed[key] = want(slot, Desired.REPLACE)
        elif slot.state is SlotState.READY and may_go > 0:
            may_go -= 1
            changed[key] = want(slot, Desired.REPLACE)
    return changed


def _is_in_a_job(slot: Slot) -> bool:
    return slot.life is not None and slot.life.job is not None


def _succeed(slots: Fleet) -> dict[str, Slot]:
    """The API's successor: started when the API is outdated, in its place once it is ready."""
    changed = dict(slots)
    for key, slot in slots.items():
        if slot.role is not Role.API or key != slot.name or slot.retired:
            continue
        heir_key = _heir_key(key)
        heir = slots.get(heir_key)
        has_to_go = is_outdated(slot) and slot.desired is Desired.UP
        if heir is None:
            if has_to_go and slot.state is SlotState.READY:
                changed[heir_key] = Slot(slot.name, slot.pool, slot.role, runs=slot.runs)
            elif has_to_go and slot.state is SlotState.STARTING:
                changed[key] = want(slot, Desired.REPLACE)
        elif _may_take_over(heir, slot):
            del changed[heir_key]
            changed.update(_with_heir(slot, heir))
        elif not has_to_go:
            del changed[heir_key]
            changed[_aside_key(heir)] = retire(heir, Desired.DOWN)
            changed[key] = replace(slot, trouble="")
        else:
            changed[heir_key] = _kept_up(heir, slot)
            failing = heir.state in (SlotState.BACKOFF, SlotState.FATAL)
            trouble = f"its replacement does not start: {heir.reason}" if failing else ""
            if trouble != slot.trouble:
                changed[key] = replace(slot, trouble=trouble)
    return changed


def _heir_key(name: str) -> str:
    return f"{name}+"


def _may_take_over(heir: Slot, slot: Slot) -> bool:
    return heir.state is SlotState.READY or (slot.life is None and heir.life is not None)


def _with_heir(slot: Slot, heir: Slot) -> dict[str, Slot]:
    heir = replace(
        heir, starts=slot.starts + heir.starts, exits=(*heir.exits, *slot.exits)[:KEPT_EXITS]
    )
    if slot.life is None:
        return {slot.name: heir}
    return {slot.name: heir, _aside_key(slot): retire(slot, Desired.REPLACE)}


def _kept_up(heir: Slot, slot: Slot) -> Slot:
    """The successor follows what the slot should be by now."""
    heir = replace(heir, runs=slot.runs)
    restarts = is_outdated(heir) and heir.state is SlotState.STARTING
    return want(heir, Desired.REPLACE) if restarts else heir


def _aside_key(slot: Slot) -> str:
    return f"{slot.name}~{slot.life.incarnation if slot.life else ''}"


def _set_stuck_aside(slots: Fleet, rules: Rules, now_s: float) -> dict[str, Slot]:
    """A process that SIGKILL did not end keeps no slot: another life takes its place."""
    changed: dict[str, Slot] = {}
    for key, slot in slots.items():
        if slot.state is not SlotState.STUCK or slot.retired:
            changed[key] = slot
            continue
        changed[_aside_key(slot)] = retire(slot, Desired.DOWN)
        changed[key] = replace(
            slot,
            state=SlotState.BACKOFF,
            life=None,
            timer=Timer(now_s + rules.kill_wait_s, None),
            failures=slot.failures + 1,
        )
    return changed


# Trying one at a time


def _held_back(members: Fleet, rules: Rules, now_s: float) -> dict[str, Slot]:
    """When half of a pool fails to start in the same way, one slot tries until it stays up."""
    wanted = {k: s for k, s in members.items() if s.desired in (Desired.UP, Desired.REPLACE)}
    failing = {key: slot for key, slot in wanted.items() if slot.start_failure}
    if not failing:
        return _released(members)
    if any(_stays_up(slot.life, rules, now_s) for slot in failing.values() if slot.life):
        return {key: replace(slot, start_failure="", held_back="") for key, slot in members.items()}
    [(_, alike)] = Counter(slot.start_failure for slot in failing.values()).most_common(1)
    if alike < max(2, (len(wanted) + 1) // 2):
        return _released(members)
    leader = next((s for s in failing.values() if s.life), None) or next(iter(failing.values()))
    why = f"waits for {leader.name} to stay up"
    return {
        key: replace(slot, held_back=why if key in wanted and slot is not leader else "")
        for key, slot in members.items()
        if slot.state in _WITHOUT_LIFE
    }


def _stays_up(life: Life, rules: Rules, now_s: float) -> bool:
    return life.ready_s is not None and now_s - life.ready_s >= rules.trial_s


def _released(members: Fleet) -> dict[str, Slot]:
    return {key: replace(slot, held_back="") for key, slot in members.items() if slot.held_back}
