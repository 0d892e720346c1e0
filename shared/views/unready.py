"""Why no worker of the pools that serve a queue is ready."""

from collections.abc import Sequence

from orpheus.shared.domain.crews import Crew

_MOST_SLOTS = 2
"""At most so many slots of a pool are named, because the text is one line of a list."""


def unready_text(queue: str, crews: Sequence[Crew]) -> str:
    """Return why, as one clause for each pool that serves the queue and has no ready worker."""
    return "; ".join(_text(crew) for crew in crews if crew.serves(queue) and not crew.ready)


def _text(crew: Crew) -> str:
    if crew.others:
        return crew.unready(_MOST_SLOTS)  # the names of slots tell their pool
    if crew.scaled_to_0:
        return f"pool {crew.pool} is scaled to 0 {crew.scaled_to_0}"
    return f"pool {crew.pool} has no workers"
