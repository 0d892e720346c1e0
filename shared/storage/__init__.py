"""The store: everything the programs read from and write to the database.

No SQL and no import of a program may come in here. `open_store` is the only place that names a
backend: a second one is a sibling folder of shared/storage/sqlite/, one branch here and one
parameter of tests/contract/.
"""

from collections.abc import Mapping
from pathlib import Path

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.process.clock import Clock, SystemClock
from orpheus.shared.storage.data import (
    AuditRow,
    BackupRefused,
    BulkAction,
    CountChanged,
    JobFilter,
    KeptAnswer,
    Latency,
    MakeJob,
    Minute,
    QueueRow,
    ScheduleRow,
    Submitted,
    Total,
    TypeRow,
)
from orpheus.shared.storage.sqlite.store import Store
from orpheus.shared.storage.totals import BOUNDS_S, Histogram

__all__ = [
    "BOUNDS_S",
    "AuditRow",
    "BackupRefused",
    "BulkAction",
    "CountChanged",
    "Finished",
    "Histogram",
    "JobFilter",
    "KeptAnswer",
    "Latency",
    "MakeJob",
    "Minute",
    "NewLine",
    "QueueRow",
    "QueueRules",
    "ScheduleRow",
    "Store",
    "Submitted",
    "Total",
    "TypeRow",
    "database_path",
    "open_storage",
    "open_store",
]

_SQLITE = "sqlite:///"


def database_path(url: str) -> Path:
    """Return the file that a `sqlite:///…` URL names, as an absolute path.

    It is absolute because a job may change the current directory. Locks, doorbells and crash cells
    are kept beside it. Raises ConfigurationError for any other URL.
    """
    if not url.startswith(_SQLITE) or len(url) == len(_SQLITE):
        raise ConfigurationError(
            f"database.url: {url!r} is not a database URL; use sqlite:///FILE (relative) or sqlite:////FILE"
        )
    return Path(url.removeprefix(_SQLITE)).absolute()


def open_store(
    url: str,
    *,
    create: bool = False,
    durable: bool = True,
    pools: Mapping[str, tuple[str, ...]] | None = None,
    backoff: BackoffRules | None = None,
    clock: Clock | None = None,
) -> Store:
    """Open the database that `url` names; one store per thread, never across a fork.

    `create` makes a missing file and its folder and updates an older schema; without it both are
    refused. `durable`: acknowledged writes survive power loss, not only crashes of processes.
    `pools`: pool name -> the queues it serves, so that a commit rings the right doorbells.

    Raises DatabaseUnusable (missing, corrupt, newer or older schema), DatabaseBusy, and
    ConfigurationError for a URL that no backend supports.
    """
    return Store(
        database_path(url),
        create=create,
        durable=durable,
        pools=pools or {},
        backoff=backoff or BackoffRules(),
        clock=clock or SystemClock(),
    )


def open_storage(settings: StorageSettings, *, create: bool = False) -> Store:
    """Open the database that a process got in its handover."""
    return open_store(
        settings.url,
        create=create,
        durable=settings.durable,
        pools=settings.pools,
        backoff=settings.backoff,
    )
