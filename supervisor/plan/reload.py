"""Reload the configuration on its own thread; an unusable configuration changes nothing.

Everything that can fail happens here, before anything changes: the file is read, a child process
describes the job modules, a new address is bound. Then one transaction writes the job types, limits
and schedules into the database, and the main loop gets a result that it only has to adopt. A file
that is still being saved is not read: it must have stayed the same for a moment. While the database
cannot be written, the order is kept and tried again: nobody would give it a second time.
"""

import contextlib
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from socket import socket
from threading import Lock, Thread

import msgspec

from orpheus.config.changes import MEANT, changed_keys, emptied
from orpheus.config.files import is_there, state_of
from orpheus.config.handovers import for_commands, for_database, for_storage
from orpheus.config.settings import Settings
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import ConfigurationError, OrpheusError, StorageError
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.logs import configure_logging, get_logger
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.storage import TypeRow, open_storage
from orpheus.supervisor.plan.code_watch import CodeWatch
from orpheus.supervisor.plan.configuration import allow_files_for
from orpheus.supervisor.plan.listeners import Listeners

log = get_logger()

ReadSettings = Callable[[], Settings]

_FIXED = ("database.url", "database.state_dir")
_SETTLE_S = 0.25
"""A file that has just changed is read once it has stayed the same for so long."""
_RETRY_S = 5.0
"""How long to wait between two attempts while the database cannot be written."""


class Reloaded(msgspec.Struct, frozen=True):
    """A configuration that was checked and is in the database already.

    `why` says what asked for it. `changed` names the settings that differ. `replaces`: the roles
    whose processes are all replaced.
    """

    why: str
    settings: Settings
    listener: socket | None
    build: str
    changed: tuple[str, ...]
    replaces: frozenset[Role]


class Rejected(msgspec.Struct, frozen=True):
    """A configuration that cannot be used: the running one stays."""

    why: str
    reason: str
    is_code: bool = False
    """The configuration is sound, but a job module is not."""


class _CodeError(Exception):
    """A job module does not import, or what it defines is refused."""


class _Order(msgspec.Struct, frozen=True):
    """Reload, and why; an empty `why` only wakes the thread, which looks at the file."""

    why: str
    replaces: frozenset[Role] = frozenset()


class Reloader:
    """Checks a configuration on request, and when the file changes (`supervisor.watch_config`).

    With `jobs.watch` it also does so when job code is saved, and has the workers replaced.

    It is readable (`fileno`) when there is a result (`take`). `describing` is held while a child of
    this thread describes the job modules: the code that reaps other children must leave that child
    alone. `keep` is called with settings that were checked, before the main loop adopts them.
    """

    def __init__(
        self,
        read: ReadSettings,
        settings: Settings,
        listeners: Listeners,
        keep: Callable[[Settings], None],
    ) -> None:
        """Look at the file, but do not watch it yet."""
        self._read = read
        self._settings = settings
        self._listeners = listeners
        self._keep = keep
        self.describing = Lock()
        self.trouble = ""
        """What a new configuration waits for; empty: for nothing. Any thread may read it."""
        self._stopping = False
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._results: deque[Reloaded | Rejected] = deque()
        self._results_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._known = self._seen = settings.sources.state
        self._code = CodeWatch(self._ask_for_code)
        self._thread = Thread(target=self._run, name="reloader", daemon=True)

    def start(self) -> None:
        """Start to watch the file, and to answer `ask`."""
        self._thread.start()

    def ask(self, why: str, *, replaces: Iterable[Role] = ()) -> None:
        """Read the configuration again, and have all processes of the roles replaced."""
        self._orders.put(_Order(why, frozenset(replaces)))

    def _ask_for_code(self, saved: str) -> None:
        self.ask(f"{saved} changed", replaces=[Role.WORKER])

    def look(self) -> None:
        """Look whether the file was saved, if it is watched. Another thread does so each second.

        So a saved file is in force within two seconds: with the time it settles, and of the check.
        """
        watches = self._settings.supervisor.watch_config
        if watches and state_of(self._settings.source) != self._known:
            self._orders.put(_Order(""))

    def fileno(self) -> int:
        """Return the descriptor to wait on for reading."""
        return self._results_fd

    def take(self) -> list[Reloaded | Rejected]:
        """Return the results since the last call, oldest first."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._results_fd)
        return [self._results.popleft() for _ in range(len(self._results))]

    def stop(self) -> None:
        """Watch no more; the result of a check that is under way is dropped."""
        self._stopping = True
        self._code.stop()
        self._orders.put(_Order(""))

    # The thread

    def _run(self) -> None:
        orders: list[_Order] = []
        self._code.follow(self._settings.jobs)
        while True:
            orders += self._wait(_RETRY_S if orders else self._settles_in_s())
            if self._stopping:
                return
            if orders:
                result = self._check_orders(orders)
                if result is not None:
                    orders, self.trouble = [], ""
                    self._results.append(result)
                    os.eventfd_write(self._results_fd, 1)

    def _check_orders(self, orders: Sequence[_Order]) -> Reloaded | Rejected | None:
        """Check the configuration once for all orders; see `_checked`."""
        order = _Order(
            ", ".join(dict.fromkeys(order.why for order in orders)),
            frozenset().union(*(order.replaces for order in orders)),
        )
        # Before the check: it may take long, and another text may be saved meanwhile.
        self._known = self._seen = state_of(self._settings.source)
        return self._checked(order)

    def _wait(self, most_s: float | None) -> list[_Order]:
        """Return the orders to reload; none after `most_s` or a look, unless the file was saved."""
        orders = []
        try:
            orders.append(self._orders.get(timeout=most_s))
            while True:
                orders.append(self._orders.get_nowait())
        except queue.Empty:
            pass
        orders = [order for order in orders if order.why]
        if not orders and self._file_has_settled():
            orders.append(_Order("the file was saved" if self._seen else "the file is gone"))
        return orders

    def _settles_in_s(self) -> float | None:
        """Return how long a changed file must stay the same; None: it has not changed."""
        return None if self._seen == self._known else _SETTLE_S

    def _file_has_settled(self) -> bool:
        """Return whether the file differs from the one read last, but not from a moment ago."""
        now, before = state_of(self._settings.source), self._seen
        self._seen = now
        return now == before and now != self._known

    def _checked(self, order: _Order) -> Reloaded | Rejected | None:
        """Return the result for the main loop; None: the database cannot be written now."""
        began_s = time.monotonic()
        try:
            result = self._check(order)
        except StorageError as error:
            if not self.trouble:
                log.warning("config_waits", why=order.why, reason=str(error))
            self.trouble = f"a new configuration waits for the database: {error}"
            return None
        except _CodeError as error:
            return Rejected(order.why, str(error), is_code=True)
        except OrpheusError as error:
            return Rejected(order.why, str(error))
        except Exception as error:
            if not self._stopping:  # else its child was ended with all the others
                log.exception("reload_failed")
            return Rejected(order.why, f"an internal error: {type(error).__name__}: {error}")
        if _log_settings(result.settings) != _log_settings(self._settings):
            log_as(result.settings)  # on this thread: it may block on stderr
        self._settings = result.settings
        log.debug("reload_checked", seconds=round(time.monotonic() - began_s, 3))
        return result

    def _check(self, order: _Order) -> Reloaded:
        source = self._settings.source
        if source is not None and not is_there(source):
            raise ConfigurationError(f"{source} is gone: what it set stays")
        settings = self._read()
        if emptied(self._settings.sources.text, settings.sources.text):
            raise ConfigurationError(f"{source} is empty: what it set stays; {MEANT}")
        changed = tuple(changed_keys(self._settings, settings))
        for key in _FIXED:
            if key in changed:
                raise ConfigurationError(
                    f"{key}: cannot change while Orpheus runs; stop it, and start it again"
                )
        allow_files_for(settings)
        self._code.follow(settings.jobs)  # first: if a module does not import, it is saved again
        with self.describing:
            try:
                types = described_types(settings)
            except ConfigurationError as error:
                raise _CodeError(str(error)) from error
        api = settings.api
        listener = self._listeners.take(api.host, api.port) if api.enabled else None
        try:
            build = self._write(settings, types)
        except BaseException:
            if listener is not None:
                self._listeners.let_go(listener)
            raise
        self._keep(settings)
        return Reloaded(order.why, settings, listener, build, changed, order.replaces)

    @staticmethod
    def _write(settings: Settings, types: Sequence[TypeRow]) -> str:
        """Write what the database keeps of them; return the name of the build."""
        store = open_storage(for_storage(settings))
        try:
            with store.write(durable=True):
                build = store.types.replace(types)
                write_settings(store, for_database(settings))
            return build
        finally:
            store.close()


def _log_settings(settings: Settings) -> object:
    return settings.logging, settings.jobs.watch


def log_as(settings: Settings) -> None:
    """Log as the settings say, in short if code is reloaded all the time."""
    logging = settings.logging
    in_short = settings.jobs.watch
    configure_logging(logging.level, logging.format, "supervisor", in_short=in_short)


def described_types(settings: Settings) -> list[TypeRow]:
    """Return the job types as their modules describe them now; see `describe_types`."""
    jobs, timeout_s = settings.jobs, settings.supervisor.start_timeout
    return describe_types(jobs.modules, for_commands(settings), timeout_s, jobs.around)
