"""The store: everything the programs read from and write to the database.

No SQL and no import of a program may come in here. `open_store` is the only place that names a
backend: each has a folder here, and its name among the BACKENDS of tests/contract/conftest.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import NEEDS_PSYCOPG, ConfigurationError
from orpheus.shared.process.clock import Clock, SystemClock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.data import (
    MINUTES_KEPT,
    Acknowledgement,
    AlertRow,
    AuditPage,
    AuditRow,
    Backfill,
    BackupRefused,
    BulkAction,
    CountChanged,
    ErrorGroup,
    JobCursor,
    JobOrder,
    JobPage,
    JobRun,
    KeptAnswer,
    KeyHolder,
    LeaseHolder,
    LookAtHolder,
    MakeJob,
    MoveMark,
    MoveRefused,
    MoveState,
    OutboxBatch,
    OutboxCounts,
    OutboxTaken,
    Pause,
    QueueRow,
    RowId,
    ScheduleRow,
    Submitted,
    Total,
    TypeRow,
)
from orpheus.shared.storage.database import Listening, read_back
from orpheus.shared.storage.database_url import (
    database_path,
    is_on_postgres,
    locked_file,
    refuse_links,
    settled,
    settled_paths,
    shown_url,
    state_files,
    whole_url,
    with_absolute_paths,
)
from orpheus.shared.storage.figures import (
    LATELY_MINUTES,
    DueInQueue,
    Flow,
    JobFacts,
    LatelyEnded,
    Latency,
    Minute,
    NextJob,
    Standstill,
)
from orpheus.shared.storage.past import Figures as PastFigures
from orpheus.shared.storage.past import percentile_s
from orpheus.shared.storage.sqlite.store import open_sqlite
from orpheus.shared.storage.store import Store
from orpheus.shared.storage.totals import (
    BOUNDS_S,
    OTHER_TYPES,
    Distribution,
    Histogram,
    TypeFigures,
)
from orpheus.shared.storage.verbs.audit import Actor, local_actor
from orpheus.shared.storage.verbs.job_lists import PAGE_BYTES
from orpheus.shared.storage.verbs.schedules import ScheduledRun
from orpheus.shared.storage.verbs.timeline import Happened, Position
from orpheus.shared.storage.verbs.waiting import MOST_NAMED
from orpheus.shared.storage.verbs.windows import Budget


def open_store(
    url: str,
    *,
    create: bool = False,
    durable: bool = True,
    pools: Mapping[str, tuple[str, ...]] | None = None,
    backoff: BackoffRules | None = None,
    quarantine_after: int = 0,
    clock: Clock | None = None,
    state_dir: str = "",
    listen_url: str = "",
    to_move: bool = False,
    lock_wait_s: float | None = None,
    hide: Sequence[str] | None = (),
) -> Store:
    """Open the database that `url` names; one store per thread, never across a fork.

    `create` makes a missing file and its folder and updates an older schema; without it both are
    refused. `durable`: acknowledged writes survive power loss, not only crashes of processes.
    `pools`: pool name -> the queues it serves, so that a commit rings the right doorbells.
    `quarantine_after`: how many crashes quarantine a job type; 0: no type is quarantined.
    `clock`: instead of the system's, or of PostgreSQL's. `state_dir`: see `state_files`.
    `listen_url`: if there is one, `url` leads to a pooler. `to_move`: also a database that is being
    moved, or was. `lock_wait_s`: how long a statement waits for a row or key that another
    transaction holds, if not for 9 s; on SQLite none waits.
    `hide`: the fields that are hidden in jobs of all types, besides those that the database names;
    None: nothing is hidden, for the tests of job authors.

    Raises DatabaseUnusable (missing, corrupt, newer or older schema, a move that is unfinished;
    with `create` also one that was moved), DatabaseBusy, DatabaseAway (its server does not answer),
    and ConfigurationError for a URL that no backend supports.
    """
    if create:
        refuse_links(url, state_dir)
    state = state_files(url, state_dir)
    bells = Doorbells(state.bells, pools or {})
    if is_on_postgres(url):
        try:
            from orpheus.shared.storage.postgres.store import open_postgres  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(f"database.url: {NEEDS_PSYCOPG} ({error})") from None
        backend = open_postgres(
            url,
            state,
            bells,
            create=create,
            durable=durable,
            clock=clock,
            pooled=bool(listen_url),
            lock_wait_s=lock_wait_s,
            is_patient=to_move,
        )
    else:
        path, clock = database_path(url), clock or SystemClock()
        backend = open_sqlite(path, state, bells, create=create, durable=durable, clock=clock)
    store = Store(state, backend, backoff or BackoffRules(), quarantine_after, hide)
    return store if to_move else _unless_moved(store, starts=create)


def _unless_moved(store: Store, *, starts: bool) -> Store:
    try:
        store.moves.refuse_if_moved(starts=starts)
    except BaseException:
        store.close()
        raise
    return store


def open_store_in(connection: Any, finish: Callable[[Any], Any], hide: Sequence[str] = ()) -> Store:
    """Return the store in the transaction that an application has open; nothing is executed yet.

    `connection` is a connection of psycopg 3 to a database with the schema `orpheus`. `finish`
    returns what a method of it returns, or if it is an asynchronous one, what that yields when it
    is awaited. A verb raises DatabaseBusy if the application must run its transaction again.
    """
    from orpheus.shared.storage.postgres.store import open_in_application  # noqa: PLC0415 - an extra

    return open_in_application(connection, finish, hide)


def listen(settings: StorageSettings) -> Listening:
    """Ring this host's doorbells when another host commits something, from now on until `stop`.

    One process of a host does it. It goes on whether the database can be reached or not.
    """
    if not is_on_postgres(settings.url):
        return Listening()
    from orpheus.shared.storage.postgres.store import listen_to_postgres  # noqa: PLC0415 - an extra

    state = state_files(settings.url, settings.state_dir)
    return listen_to_postgres(settings.listen_url or settings.url, state, settings.pools)


def open_storage(
    settings: StorageSettings, *, create: bool = False, lock_wait_s: float | None = None
) -> Store:
    """Open the database that a process got in its handover; see `open_store`."""
    return open_store(
        settings.url,
        create=create,
        durable=settings.durable,
        pools=settings.pools,
        backoff=settings.backoff,
        quarantine_after=settings.quarantine_after,
        state_dir=settings.state_dir,
        listen_url=settings.listen_url,
        lock_wait_s=lock_wait_s,
        hide=settings.hide,
    )
