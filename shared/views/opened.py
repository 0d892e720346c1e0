"""Since when each queue can run: it is not paused, and a worker that serves it is up."""

from collections.abc import Collection, Iterable, Sequence

from orpheus.shared.domain.crews import Crew
from orpheus.shared.storage import Store


def opened_ms_by_queue(
    store: Store,
    crews: Sequence[Crew],
    queues: Iterable[str],
    only: Collection[str] | None = None,
) -> dict[str, int]:
    """Return that time by queue; 0: nobody resumed it, and no ready worker's start is known."""
    names = [name for name in queues if only is None or name in only]
    resumed_ms, now_ms = store.standings.resumed_ms(names), store.clock.wall_ms()
    found = {}
    for name in names:
        up_s = [crew.up_s for crew in crews if crew.up_s is not None and crew.serves(name)]
        up_ms = now_ms - round(max(up_s) * 1000) if up_s else 0
        found[name] = max(up_ms, resumed_ms.get(name, 0))
    return found
