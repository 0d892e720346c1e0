"""Compare two configurations: which keys differ, and which processes must be replaced.

Everything that must restart a child when it changes is in what it runs on, and nothing else: the
supervisor makes its fingerprints of it, and an editor of the configuration is shown the same before
anything is saved.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from orpheus.config.handovers import for_api, for_programs, for_worker
from orpheus.config.problems import KeyPath, dotted
from orpheus.config.settings import Settings
from orpheus.config.shown import shown_values
from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.processes import API_SLOT

_CODE, _DATABASE, _ACCESS = "names code", "names a database", "names who may do what"
NAMING_CODE: Mapping[KeyPath, str] = {
    ("jobs", "modules"): _CODE,
    ("jobs", "around"): _CODE,
    ("commands",): _CODE,
    ("programs",): _CODE,
    ("outboxes",): _DATABASE,
    ("database", "url"): _DATABASE,
    ("database", "state_dir"): "names the folder of its own files",
    ("database", "listen_url"): _DATABASE,
    ("api", "token_file"): _ACCESS,
    ("api", "tokens"): _ACCESS,
    ("api", "proxy_auth"): _ACCESS,
}
"""The settings that only an editor on the machine may change, each with what it does."""
_DEFAULTS = Settings().model_dump(mode="json")
MEANT = "if the defaults are meant, say so in a line with a comment"
"""What to do if a file was `emptied` on purpose."""


class Effects(Struct, frozen=True):
    """The slots that a change replaces, adds and ends, by name."""

    restarts: tuple[str, ...]
    starts: tuple[str, ...]
    stops: tuple[str, ...]


def emptied(before: str, after: str) -> bool:
    """Return whether only white space is left, so that `after` cannot take the place of `before`.

    An editor on a full disk empties a file. That must not end schedules, nor the need for a token.
    """
    return bool(before.strip()) and not after.strip()


def worker_runs_on(handover: WorkerHandover) -> WorkerHandover:
    """Return the part of the handover that restarts the worker when it changes.

    A worker uses the pools of storage only to ring them for jobs that it enqueues. So a new pool
    restarts no worker of another; until these are replaced, the new pool's workers find such jobs
    by their safety poll.
    """
    return replace(handover, storage=replace(handover.storage, pools={}))


def effects(before: Settings, after: Settings) -> Effects:
    """Return what a supervisor with the settings `before` does to its processes on `after`."""
    old, new = _slots(before), _slots(after)
    return Effects(
        restarts=tuple(slot for slot in new if slot in old and new[slot] != old[slot]),
        starts=tuple(slot for slot in new if slot not in old),
        stops=tuple(slot for slot in old if slot not in new),
    )


def _slots(settings: Settings) -> dict[str, object]:
    """Return every slot with what its process runs on."""
    slots: dict[str, object] = {}
    if settings.api.enabled:
        slots[API_SLOT] = for_api(settings, supervised=True)
    for name, pool in settings.pools.items():
        runs_on = worker_runs_on(for_worker(settings, name))
        slots |= {f"{name}-{number}": runs_on for number in range(1, pool.workers + 1)}
    runs = for_programs(settings)
    for program in settings.programs:
        numbers = range(1, program.instances + 1)
        slots |= {f"{program.name}-{n}": runs[program.name].runs_on() for n in numbers}
    return slots


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """Return the settings that differ, as `--set` names them; of several tables, `alerts: down`.

    Secrets are compared only where the file alone can set them. Others can be set over HTTP, where
    a caller could guess one until a guess is no change.
    """
    found = _differing(shown_values(before), shown_values(after), ())
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    for key in NAMING_CODE:
        found |= _differing(value_at(old, key), value_at(new, key), key)
    return sorted(found)


def value_at(tables: Any, key: KeyPath) -> Any:
    """Return the value at a key of `NAMING_CODE`, or its default."""
    value: Any = tables
    default: Any = _DEFAULTS
    for step in key:
        default = default[step]
        if not isinstance(value, Mapping):
            return value
        value = value.get(str(step), default)
    return value


def _differing(before: Any, after: Any, path: KeyPath) -> set[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found: set[str] = set()
        for key in before.keys() | after.keys():
            found |= _differing(before.get(key), after.get(key), (*path, key))
        return found
    if before == after:
        return set()
    old, new = _by_name(before), _by_name(after)
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return {f"{dotted(path)}: {name}" for name in names} or {dotted(path)}


def _by_name(tables: Any) -> dict[str, Any]:
    """Return the tables of a list by name; nothing for any other value."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return {}
    return {str(table.get("name")): table for table in tables}
