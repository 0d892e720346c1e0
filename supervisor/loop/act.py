"""Performs one Action. Whether it worked is seen in a later turn, never waited for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orpheus.shared.domain.events import Kind
from orpheus.shared.logs import get_logger
from orpheus.shared.process.failpoints import failpoint
from orpheus.supervisor.loop.child import ChildHandle
from orpheus.supervisor.plan.plan import ProcessSpec
from orpheus.supervisor.policy.slot import (
    Act,
    Action,
    Bury,
    Cause,
    Deed,
    Exit,
    Fence,
    Seen,
    Slot,
    Tell,
)
from orpheus.supervisor.recorder import Recorder

log = get_logger()

_WARNINGS = frozenset({Kind.WORKER_HUNG, Kind.WORKER_FATAL})
_IN_ORDER = frozenset({Cause.STOPPED, Cause.REPLACED, Cause.RECYCLED})


@dataclass(slots=True)
class World:
    """What actions work on, and observations come from."""

    specs: Mapping[str, ProcessSpec]
    """Slot -> what its next life is started from."""
    database: Path
    recorder: Recorder
    children: dict[str, ChildHandle] = field(default_factory=dict)
    """Incarnation -> its living (or not yet buried) process."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """Incarnation -> what was seen of it so far."""


def perform(world: World, slot: Slot, action: Action) -> None:
    """Do it. An action for a life that has ended does nothing."""
    match action:
        case Act(Deed.SPAWN, incarnation):
            _spawn(world, slot, incarnation)
        case Act(deed, incarnation):
            child = world.children.get(incarnation)
            if child is not None:
                child.do(deed, action.within_s)
                log.debug("signalled", slot=slot.name, pid=child.pid, deed=deed.value)
        case Tell():
            _tell(world, slot, action)
        case Bury():
            world.children.pop(action.incarnation, None)
            world.seen.pop(action.incarnation, None)
            world.recorder.bury(slot.name, action)
        case Fence():
            world.recorder.fence(action)


def _spawn(world: World, slot: Slot, incarnation: str) -> None:
    try:
        child = ChildHandle.spawn(world.specs[slot.name], incarnation, world.database)
    except Exception as error:  # noqa: BLE001 - no memory, no process or descriptor left; or a fault of ours
        log.warning("cannot_start", slot=slot.name, reason=repr(error))
        world.seen[incarnation] = Seen(incarnation, exit=Exit(error=str(error)))
        return
    failpoint("supervisor.spawned")
    world.children[incarnation] = child
    world.seen[incarnation] = Seen(incarnation)


def _tell(world: World, slot: Slot, tell: Tell) -> None:
    child = world.children.get(tell.incarnation or "")
    body: dict[str, object] = {"slot": slot.name, "pool": slot.pool}
    if child is not None:
        body["pid"] = child.pid
    body |= {"incarnation": tell.incarnation, "reason": tell.reason, **tell.details}
    world.recorder.note(tell.kind, body)
    shown = {key: value for key, value in body.items() if value and key != "incarnation"}
    _level(tell)(tell.kind.value.replace(".", "_"), **shown)


def _level(tell: Tell) -> Callable[..., object]:
    failed = tell.kind is Kind.WORKER_EXITED and tell.details.get("cause") not in _IN_ORDER
    return log.warning if failed or tell.kind in _WARNINGS else log.info
