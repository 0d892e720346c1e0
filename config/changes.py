"""What a change of the settings means: which keys differ, and which processes it replaces.

Everything that must restart a child when it changes is in what it runs on, and only that: the
supervisor makes its fingerprints of it, and whoever edits the configuration is told the same
before it is saved.
"""

from dataclasses import dataclass
from typing import Any

from orpheus.config.problems import dotted
from orpheus.config.settings import Settings, for_worker

API_SLOT = "api"
_API_USES = {"database", "api", "heartbeats", "logging"}
_API_USES_OF_JOBS = {
    "max_retries", "timeout", "backoff_base", "backoff_factor", "backoff_max", "backoff_jitter",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effects:
    """Slots that a change replaces, adds and ends, by name."""

    restarts: tuple[str, ...]
    starts: tuple[str, ...]
    stops: tuple[str, ...]


def for_api(settings: Settings) -> dict[str, Any]:
    """What the API is handed, and runs on: the part of the settings that it uses, as JSON."""
    handed = settings.model_dump(mode="json", include=_API_USES)
    handed["jobs"] = settings.jobs.model_dump(mode="json", include=_API_USES_OF_JOBS)
    # It rings the pools that serve a job's queue; how many workers they have is not its business.
    handed["pools"] = {name: {"queues": pool.queues} for name, pool in settings.pools.items()}
    return handed


def worker_runs_on(settings: Settings, pool: str) -> dict[str, Any]:
    """What a worker of that pool runs on, as JSON.

    Which pools there are it needs only to ring them for jobs it enqueues: a new pool restarts no
    worker of another; until they are replaced, it finds such jobs by its safety poll.
    """
    handed = for_worker(settings, pool).to_json()
    storage = {key: value for key, value in handed["storage"].items() if key != "pools"}
    return {**handed, "storage": storage}


def effects(before: Settings, after: Settings) -> Effects:
    """What a supervisor with the settings `before` will do to its processes on `after`."""
    old, new = _slots(before), _slots(after)
    return Effects(
        restarts=tuple(slot for slot in new if slot in old and new[slot] != old[slot]),
        starts=tuple(slot for slot in new if slot not in old),
        stops=tuple(slot for slot in old if slot not in new),
    )


def _slots(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every slot, with what its process runs on."""
    slots = {API_SLOT: for_api(settings)} if settings.api.enabled else {}
    for name, pool in settings.pools.items():
        runs_on = worker_runs_on(settings, name)
        slots |= {f"{name}-{number}": runs_on for number in range(1, pool.workers + 1)}
    return slots


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """The settings that differ, as `--set` names them; of tables in a list, the list."""
    return sorted(_differing(before.model_dump(mode="json"), after.model_dump(mode="json"), ()))


def _differing(before: Any, after: Any, path: tuple[str, ...]) -> set[str]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return {dotted(path)} if before != after else set()
    return set().union(
        *(
            _differing(before.get(key), after.get(key), (*path, key))
            for key in before.keys() | after.keys()
        )
    )
