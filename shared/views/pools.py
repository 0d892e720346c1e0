"""The pools and programs of the configuration, and who scaled one by hand."""

from collections import Counter
from collections.abc import Iterable, Mapping

from typing_extensions import TypedDict

from orpheus.shared.domain.processes import Role
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store
from orpheus.shared.views.values import Time
from orpheus.shared.views.workers import Worker


class ScaledBy(TypedDict):
    """Who scaled a pool or a program, why, and when."""

    by: str
    """As in GET /audit."""
    reason: str | None
    at: Time


class ConfiguredPool(TypedDict):
    """A pool or program of the host that answers, also if it is scaled to 0 and has no slot."""

    host: str
    name: str
    workers: int | None
    """Its number of workers, or instances, in the configuration in force; null: not readable."""
    wanted: int
    """Its number now: the slots that it has, without those that are scaled away."""
    finishes_within_s: float | None
    """After this long a worker that is drained, restarted or scaled away releases the jobs that
    it has not finished, and they start again; a program that is asked to stop is killed. Null: it
    cannot be read.
    """
    scaled: ScaledBy | None
    """The operator who set its number, if the configuration has another."""


def configured_pools(
    store: Store,
    kind: str,
    numbers: Mapping[str, int | None],
    workers: Iterable[Worker],
    host: str,
    finishes_within_s: Mapping[str, float | None],
) -> list[ConfiguredPool]:
    """Return these pools or programs (`kind`) of a host. `numbers`: those of the configuration."""
    wanted = Counter(
        one["pool"]
        for one in workers
        if one["host"] == host and "@" not in one["slot"] and not one["leaves"]
    )
    return [
        {
            "host": host,
            "name": name,
            "workers": number,
            "wanted": wanted[name],
            "finishes_within_s": finishes_within_s.get(name),
            "scaled": None
            if number in (None, wanted[name])
            else scaled_by(store, kind, name, wanted[name], [host]),
        }
        for name, number in numbers.items()
    ]


def scaled_by(
    store: Store, kind: str, name: str, workers: int, hosts: Iterable[str]
) -> ScaledBy | None:
    """Return who scaled it to the number of workers that it has on one of these hosts.

    None: nobody did under their present supervisors. `kind`: `pool` or `program`.
    """
    since_ms = {
        one.host: one.started_at_ms for one in store.processes.all() if one.role is Role.SUPERVISOR
    }
    found = (
        store.audit.last_scale(kind, name, workers, host, since_ms[host])
        for host in hosts
        if host in since_ms
    )
    entry = max((one for one in found if one), key=lambda one: one.id, default=None)
    if entry is None:
        return None
    return {"by": entry.by, "reason": entry.reason, "at": rfc3339(entry.at_ms)}
