"""Compare two configurations: which keys differ, and which processes must be replaced.

Everything that must restart a child when it changes is in what it runs on, and nothing else: the
supervisor makes its fingerprints of it, and an editor of the configuration is shown the same before
anything is saved.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from orpheus.config.handovers import for_api, for_programs, for_worker
from orpheus.config.naming_code import NAMING_CODE
from orpheus.config.problems import KeyPath, dotted
from orpheus.config.settings import Settings
from orpheus.config.shown import shown_values
from orpheus.config.sources import Sources, key_path
from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.processes import API_SLOT

_OF = ": "
_ONLY_IN_THE_FILE = frozenset(map(dotted, NAMING_CODE))


class Effects(msgspec.Struct, frozen=True):
    """The slots that a change replaces, adds and ends, by name."""

    restarts: tuple[str, ...]
    starts: tuple[str, ...]
    stops: tuple[str, ...]


def emptied(before: str, after: str) -> bool:
    """Return whether only white space is left, so that `after` cannot take the place of `before`.

    An editor on a full disk empties a file. That must not end schedules, nor the need for a token.
    """
    return bool(before.strip()) and not after.strip()


MEANT = "if the defaults are meant, say so in a line with a comment"
"""What to do if a file was `emptied` on purpose."""


def brought_back(now: str, version: str) -> str:
    """Return the text of a version as it can take the place of what the file holds `now`."""
    return "# Every setting has its default.\n" if emptied(now, version) else version


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
    """Return the settings that differ, as `--set` names them; of several tables, `alerts: down`."""
    return sorted(_differing(before.model_dump(mode="json"), after.model_dump(mode="json"), ()))


def shown_changes(before: Settings, after: Settings) -> list[str]:
    """Return the same, as far as whoever does not see the secrets may know it.

    Secrets are compared only where the file alone can set them. Others can be set over HTTP, where
    a caller could guess one until a guess is no change.
    """
    shown = _differing(shown_values(before), shown_values(after), ())
    only_in_the_file = (
        key for key in changed_keys(before, after) if key.partition(_OF)[0] in _ONLY_IN_THE_FILE
    )
    return sorted(shown.union(only_in_the_file))


def reach(before: Settings, after: Settings) -> Iterator[str]:
    """Yield, in sentences, where the page and the API will be, or what they cannot change back."""
    old, new = before.api, after.api
    if not new.enabled:
        if old.enabled:
            yield "There is no page and no API then: only the file on the machine brings them back."
        return
    if (old.host, old.port) != (new.host, new.port):
        yield f"The page and the API listen on {new.host}, port {new.port} then."
    if new.read_only and not old.read_only:
        only = "only the file on the machine takes that back"
        yield f"Nothing can be changed over HTTP then: {only}."


def overruled(
    before: Settings, after: Settings, sources: Sources, changed: Iterable[str]
) -> Iterator[str]:
    """Yield, in sentences, what differs in the file alone and so stays as it is.

    `changed`: the settings that do change; a table of which a part changes does not stay.
    """
    for key in shown_changes(before, after):
        if any(f"{one}.".startswith(f"{key}.") for one in changed):
            continue
        by = sources.origin(tuple(key_path(key.partition(_OF)[0]) or ()))
        if by is not None and by != str(sources.file):
            yield f"{key} stays as it is: {by} sets it."


def key_of(secret: KeyPath, settings: Settings) -> str:
    """Return the key under which a change of this secret of the settings is told."""
    table, *below = secret
    tables = getattr(settings, str(table), None)
    names = [str(one.name) for one in tables] if isinstance(tables, tuple) else []
    return _one_of(str(table), str(below[0])) if below and below[0] in names else str(table)


def _differing(before: Any, after: Any, path: tuple[str, ...]) -> set[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = before.keys() | after.keys()
        return set().union(
            *(_differing(before.get(key), after.get(key), (*path, key)) for key in keys)
        )
    if before == after:
        return set()
    old, new = _by_name(before), _by_name(after)
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return {_one_of(dotted(path), name) for name in names} or {dotted(path)}


def _by_name(tables: Any) -> dict[str, Any]:
    """Return the tables of a list by name; nothing for any other value, and without names."""
    are_tables = isinstance(tables, list) and all(isinstance(one, dict) for one in tables)
    if not are_tables:
        return {}
    by_name = {one.get("name"): one for one in tables}
    return by_name if len(by_name) == len(tables) and None not in by_name else {}


def _one_of(key: str, name: str) -> str:
    """Return how a change names one of several tables: `schedules: nightly`."""
    return f"{key}{_OF}{name}"
