"""Reads the configuration again, on a thread of its own: what does not check changes nothing.

Everything that can fail is done here, before anything changes: the file is read, the job modules
are described by a child process, a new address is bound. Then the database gets the job types,
limits and schedules, in one transaction; and the main loop is handed the result, which it only has
to adopt. A half-saved file is not read: it must have stood still for a moment.
"""

import os
import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from threading import Lock, Thread

from orpheus.config.changes import changed_keys
from orpheus.config.handovers import for_commands, for_database, for_storage
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError, OrpheusError
from orpheus.shared.job_types.describe import describe_types, digest_of
from orpheus.shared.logs import configure_logging, get_logger
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.storage import open_storage
from orpheus.supervisor.plan.listeners import Listeners

log = get_logger()

_LOOK_INTERVAL_S = 0.5
_Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A configuration that checks, in the database already. `why`: what asked for it.

    `changed` names the settings that differ; `replace_all`: every process is to be replaced.
    """

    why: str
    settings: Settings
    listener: socket | None
    code: str
    changed: tuple[str, ...]
    replace_all: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A configuration that does not check: the running one stays."""

    why: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Ask:
    why: str
    replace_all: bool = False


class Reloader:
    """Checks a configuration when asked, and when the file changes (`supervisor.watch_config`).

    Readable (`fileno`) when there is a result (`take`). `describing` is held while a child of this
    thread describes the job modules: whoever reaps other children leaves it alone meanwhile.
    """

    def __init__(
        self, read: Callable[[], Settings], settings: Settings, listeners: Listeners
    ) -> None:
        self.describing = Lock()
        self._read = read
        self._settings = settings
        self._listeners = listeners
        self._stopping = False
        self._asks: queue.SimpleQueue[_Ask | None] = queue.SimpleQueue()
        self._results: deque[Reloaded | Rejected] = deque()
        self._results_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._known = _signature(settings.source)
        self._seen = self._known
        self._thread = Thread(target=self._run, name="reloader", daemon=True)

    def start(self) -> None:
        """Begin to look at the file, and to answer `ask`."""
        self._thread.start()

    def ask(self, why: str, *, replace_all: bool = False) -> None:
        """Read the configuration again."""
        self._asks.put(_Ask(why, replace_all))

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._results_fd

    def take(self) -> list[Reloaded | Rejected]:
        """The results since the last call, oldest first."""
        try:
            os.eventfd_read(self._results_fd)
        except BlockingIOError:
            return []
        return [self._results.popleft() for _ in range(len(self._results))]

    def stop(self) -> None:
        """Look no more; a check that is under way is forgotten."""
        self._stopping = True
        self._asks.put(None)

    # The thread

    def _run(self) -> None:
        while True:
            asks = self._wait()
            if asks is None:
                return
            if asks:
                self._known = self._seen = _signature(self._settings.source)
                why = ", ".join(dict.fromkeys(ask.why for ask in asks))
                replace_all = any(ask.replace_all for ask in asks)
                self._results.append(self._checked(why, replace_all=replace_all))
                os.eventfd_write(self._results_fd, 1)

    def _wait(self) -> list[_Ask] | None:
        """What asks for a reload now, maybe nothing; None: to stop."""
        asks: list[_Ask] = []
        try:
            asks.append(self._next(_LOOK_INTERVAL_S if self._is_watching() else None))
            while True:
                asks.append(self._next(0))
        except queue.Empty:
            pass
        except StopIteration:
            return None
        if not asks and self._file_has_settled():
            asks.append(_Ask("the file was saved"))
        return asks

    def _next(self, wait_s: float | None) -> _Ask:
        ask = self._asks.get(timeout=wait_s) if wait_s != 0 else self._asks.get_nowait()
        if ask is None:
            raise StopIteration
        return ask

    def _is_watching(self) -> bool:
        return self._settings.supervisor.watch_config and self._settings.source is not None

    def _file_has_settled(self) -> bool:
        """Another file than the one read last, and the same one as a moment ago."""
        now, before = _signature(self._settings.source), self._seen
        self._seen = now
        return now is not None and now == before and now != self._known

    def _checked(self, why: str, *, replace_all: bool) -> Reloaded | Rejected:
        began_s = time.monotonic()
        try:
            result = self._check(why, replace_all=replace_all)
        except OrpheusError as error:
            self._listeners.give_back()
            return Rejected(why, str(error))
        except Exception as error:
            self._listeners.give_back()
            if not self._stopping:  # else its child has been ended with all the others
                log.exception("reload_failed")
            return Rejected(why, f"an internal error: {type(error).__name__}: {error}")
        if result.settings.logging != self._settings.logging:  # here, as it may wait for stderr
            logging = result.settings.logging
            configure_logging(logging.level, logging.format, "supervisor")
        self._settings = result.settings
        log.debug("reload_checked", seconds=round(time.monotonic() - began_s, 3))
        return result

    def _check(self, why: str, *, replace_all: bool) -> Reloaded:
        settings = self._read()
        if settings.database.url != self._settings.database.url:
            raise ConfigurationError(
                "database.url: cannot change while Orpheus runs; stop it, and start it again"
            )
        with self.describing:
            types = describe_types(
                settings.jobs.modules, for_commands(settings), settings.supervisor.start_timeout
            )
        api = settings.api
        listener = self._listeners.take(api.host, api.port) if api.enabled else None
        store = open_storage(for_storage(settings))
        try:
            with store.write(durable=True):
                store.types.replace(types)
                write_settings(store, for_database(settings))
        finally:
            store.close()
        changed = tuple(changed_keys(self._settings, settings))
        return Reloaded(why, settings, listener, digest_of(types), changed, replace_all)


def _signature(file: Path | None) -> _Signature | None:
    """Changes with every save; None where there is no file."""
    try:
        status = file.stat() if file is not None else None
    except OSError:
        return None
    return status and (status.st_mtime_ns, status.st_size, status.st_ino)
