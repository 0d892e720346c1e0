"""What a verdict is made of, for the tests of several files."""

from msgspec.structs import replace

from orpheus.shared.domain.concerns import (
    Concern,
    Facts,
    QueueFacts,
    SlotFacts,
)
from orpheus.shared.domain.processes import Role, SlotState, is_silent
from orpheus.shared.domain.verdict import verdict


def slot(
    name: str = "default-1", state: SlotState = SlotState.READY, **changes: object
) -> SlotFacts:
    role = Role.WORKER if "-" in name else Role(name)
    pool = name.rpartition("-")[0] or None
    one = SlotFacts(name, role, pool, state, degraded=False, reason="", target=name)
    one = replace(one, **changes)
    silent = is_silent(state, one.silent_s, Facts([]).silent_after_s)
    return replace(one, ready=state is SlotState.READY and not silent, silent=silent)


READY = (slot(), slot("api"), slot("supervisor"))
MAIL = QueueFacts("mail", waiting=12, oldest_s=90.0)
POOLS = {"default": ["*"]}
SINCE = "and 12 jobs wait in it, the first for 1 min 30 s."


def concerns(**facts: object) -> list[Concern]:
    found = {"slots": READY, "pools": POOLS, "has_jobs": True, **facts}
    return list(verdict(Facts(**found)).concerns)  # type: ignore[arg-type]


def only(**facts: object) -> Concern:
    (one,) = concerns(**facts)
    return one
