"""Since when each queue can run: it is not paused, and a worker that serves it is up."""

from collections.abc import Mapping, Sequence

from orpheus.shared.domain.crews import Crew
from orpheus.shared.storage import Store


def opened_ms_by_queue(store: Store, serving: Mapping[str, Sequence[Crew]]) -> dict[str, int]:
    """Return that time by queue; 0: nobody resumed it, and no ready worker's start is known.

    `serving`: the workers that serve each queue.
    """
    resumed_ms, now_ms = store.standings.resumed_ms(serving), store.clock.wall_ms()
    found = {}
    for name, crews in serving.items():
        up_s = [one.up_s for crew in crews for one in crew.ready if one.up_s is not None]
        up_ms = now_ms - round(max(up_s) * 1000) if up_s else 0
        found[name] = max(up_ms, resumed_ms.get(name, 0))
    return found
