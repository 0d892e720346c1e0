"""How long no job of a queue has ended, and which queues' workers run (mostly) other jobs."""

from collections.abc import Mapping, Sequence

from orpheus.shared.domain.at_rate import is_at_rate
from orpheus.shared.domain.crews import Crew, places_for
from orpheus.shared.domain.drain import has_turns, is_starved
from orpheus.shared.domain.jobs import RunningJob, Status
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.rooms import Room
from orpheus.shared.storage import Flow, QueueRow, Store


def quiet_s_by_queue(
    store: Store, waiting_s: Mapping[str, float], rooms: Mapping[str, Room]
) -> dict[str, float]:
    """Return for how long a job of each queue has waited for a worker, and none has ended."""
    held = {name for name, room in rooms.items() if room.paused or room.is_spent}
    waiting = waiting_s.keys() - held
    silent_s = store.stats.silent_s(waiting) if waiting else {}
    return {name: min(waiting_s[name], silent_s[name]) for name in waiting}


def starved_queues(
    store: Store,
    serving: Mapping[str, Sequence[Crew]],
    quiet_s: Mapping[str, float],
    waits_s: Mapping[str, float],
    counts: Mapping[str, Mapping[Status, int]],
    flows: Mapping[str, Flow],
    paces: Mapping[str, Pace],
) -> set[str]:
    """Return the queues whose workers run other jobs.

    A queue with a backlog that is served by turns is left out: its next turn comes. `serving`: the
    workers that serve each queue.
    """
    running, now_ms = store.jobs.running(), store.clock.wall_ms()
    found = set()
    for name, idle_s in quiet_s.items():
        pace = paces.get(name)
        if counts[name][Status.IN_PROGRESS] or has_turns(waits_s[name], idle_s):
            continue
        taken_s = _taken_s(serving[name], running, now_ms)
        ended = flows[name].ended_per_minute
        if taken_s is not None and is_starved(taken_s, ended, idle_s, pace):
            found.add(name)
    return found


def run_mostly_others(
    rule: QueueRow,
    serving: Sequence[Crew],
    counts: Mapping[Status, int],
    pace: Pace | None,
) -> bool:
    """Return whether the workers of a queue with a backlog run mostly jobs of other queues.

    Then its jobs had less than half of the places, and others have more of them now.
    """
    starts_per_s = None if rule.rate is None else rule.rate.per_s
    if pace is None or not pace.had_backlog or is_at_rate(pace, starts_per_s):
        return False
    taken = sum(crew.places - crew.free for crew in serving)
    ran = pace.ran_s / pace.within_s
    is_little = ran < places_for(serving, rule.max_running) / 2
    return is_little and taken - counts.get(Status.IN_PROGRESS, 0) > ran


def _taken_s(
    serving: Sequence[Crew], running: Mapping[str, RunningJob], now_ms: int
) -> float | None:
    """Return for how long at least these workers have had no place free; None: they have one.

    `running`: by the incarnation of its worker.
    """
    ready = [one for crew in serving for one in crew.ready]
    if not ready or any(crew.free for crew in serving):
        return None
    if any(one.places > 1 for one in ready):
        return 0.0  # of the jobs of a worker, only when the oldest began is known
    jobs = (running[one.incarnation] for one in ready if one.incarnation in running)
    return max(0, now_ms - max((job.started_at_ms for job in jobs), default=now_ms)) / 1000
