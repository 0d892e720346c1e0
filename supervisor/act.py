"""Performs one Action. Whether it worked is seen in a later turn, never waited for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.cells import cell_path
from shared.events import Kind
from shared.logs import get_logger
from supervisor.child import ChildHandle
from supervisor.records import Recorder
from supervisor.slot import Act, Action, Bury, Deed, Exit, Seen, Tell
from supervisor.specs import ProcessSpec

log = get_logger()

_WARNINGS = frozenset({Kind.WORKER_HUNG, Kind.WORKER_FATAL})


@dataclass(slots=True)
class World:
    """What actions work on, and observations come from."""

    specs: Mapping[str, ProcessSpec]
    database: Path
    recorder: Recorder
    children: dict[str, ChildHandle] = field(default_factory=dict)
    """Slot -> its living (or not yet buried) child."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """Slot -> what was seen of its present life so far."""


def perform(world: World, slot: str, action: Action) -> None:
    """Do it. An action for another life than the slot's present one does nothing."""
    match action:
        case Act(Deed.SPAWN, incarnation):
            _spawn(world, slot, incarnation)
        case Act(deed, incarnation):
            child = world.children.get(slot)
            if child is not None and child.incarnation == incarnation:
                child.do(deed, action.within_s)
                log.debug("signalled", slot=slot, pid=child.pid, deed=deed.value)
        case Tell():
            _tell(world, slot, action)
        case Bury():
            world.children.pop(slot, None)
            world.seen.pop(slot, None)
            world.recorder.bury(action)


def crash_path(database: Path, incarnation: str) -> Path:
    """Where a life writes its stacks when it crashes: beside its cell."""
    return cell_path(database, incarnation).with_suffix(".crash")


def _spawn(world: World, slot: str, incarnation: str) -> None:
    try:
        child = ChildHandle.spawn(
            world.specs[slot], incarnation, crash_path(world.database, incarnation)
        )
    except OSError as error:  # no memory, no process or file descriptor left
        world.seen[slot] = Seen(incarnation, exit=Exit(error=str(error)))
        return
    world.children[slot] = child
    world.seen[slot] = Seen(incarnation)


def _tell(world: World, slot: str, tell: Tell) -> None:
    child = world.children.get(slot)
    body: dict[str, object] = {"slot": slot, "pool": world.specs[slot].pool}
    if child is not None and child.incarnation == tell.incarnation:
        body["pid"] = child.pid
    body |= {"incarnation": tell.incarnation, "reason": tell.reason, **tell.details}
    world.recorder.note(tell.kind, body)
    shown = {key: value for key, value in body.items() if value and key != "incarnation"}
    _level(tell)(tell.kind.value.replace(".", "_"), **shown)


def _level(tell: Tell) -> Callable[..., object]:
    failed = tell.kind is Kind.WORKER_EXITED and (tell.details.get("code") or 0) != 0
    warns = tell.kind in _WARNINGS or failed or "signal" in tell.details
    return log.warning if warns else log.info
