"""A PostgreSQL server that tests stop, kill, start again, and copy as a standby."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from benchmarks.servers import free_port
from tests.machine import freeze, wait_until

_SETTINGS = {
    "fsync": "off",  # no test outlives the power
    "max_connections": "100",
    "shared_buffers": "32MB",
    "deadlock_timeout": "50ms",
    "wal_writer_delay": "10s",  # what did not wait for the disk is lost if it is killed
    "wal_level": "replica",
    "hot_standby": "on",
    "wal_receiver_status_interval": "100ms",
    "wal_retrieve_retry_interval": "100ms",
    "dynamic_shared_memory_type": "mmap",  # goes with the folder, also if the server is killed
}
_LINE_OF_MEMORY = 6
"""Of postmaster.pid: the key and the number of the shared memory that marks its folder as used."""
KILLS_NS: list[int] = []
"""When servers were killed, by the monotonic clock."""
FORGETS_NS = 20_000_000_000
"""So old may be what a server that is killed forgets: twice `wal_writer_delay`."""


def program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL. Without one, the test is skipped."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda one: float(one.parts[-3])
    )
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("PostgreSQL is not installed")
    return str(found[-1])


def as_user() -> list[str]:
    """Return how a command begins that ends with this thread. PostgreSQL refuses to run as root."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", "--pdeathsig=INT", *user]


def _make_for_user(folder: Path) -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def empty_cluster_in(folder: Path) -> Path:
    """Make an empty cluster in a new folder; return where it is."""
    initdb = [program("initdb"), "-D", str(folder / "data"), "-U", "orpheus", "-A", "trust"]
    _make_for_user(folder)
    subprocess.run([*as_user(), *initdb, "--no-sync"], check=True, stdout=-3, cwd="/")
    return folder / "data"


class DatabaseServer:
    """A server with a folder and a port of its own."""

    def __init__(self, folder: Path, enter: Sequence[str] = (), **settings: str) -> None:
        """Make the folder; nothing is started.

        `enter`: how its command begins, if it is to run in a network namespace.
        """
        self._enter = enter
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._settings = {**_SETTINGS, **settings}
        if enter:
            self._settings["listen_addresses"] = "*"
        self._process: subprocess.Popen[bytes] | None = None
        self._looking: psycopg.Connection[Any] | None = None
        self._looks = threading.Lock()
        _make_for_user(folder)

    def take(self, cluster: Path) -> None:
        """Begin with a copy of a cluster that has never run."""
        subprocess.run(["cp", "-a", str(cluster), str(self.data)], check=True)
        if self._enter:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.0.0.0/8 trust\n")

    def copy(self, primary: "DatabaseServer") -> None:
        """Become the standby of `primary`, from which each commit comes."""
        backup = [program("pg_basebackup"), "-D", str(self.data), "-R", "-c", "fast", "--no-sync"]
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "orpheus", "-X", "stream"]
        subprocess.run([*as_user(), *backup, *source], check=True, cwd="/")

    def url(
        self, database: str = "postgres", port: int | None = None, host: str = "127.0.0.1"
    ) -> str:
        """Return where a database is, seen through `port`, or from another `host`."""
        return f"postgresql://orpheus@{host}:{port or self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = {**self._settings, "port": self.port, "unix_socket_directories": self.folder}
        sets = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._enter, *as_user(), program("postgres"), "-D", str(self.data), *sets],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_ready, "the server to be ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail((self.folder / "log").read_text(errors="replace")[-2000:])
        try:
            return "ready" in (self.data / "postmaster.pid").read_text()
        except FileNotFoundError:
            return False

    def stop(self) -> None:
        """Stop it as an administrator does: what is connected is told so and cut off."""
        self._end(signal.SIGINT)

    def hold_log(self) -> None:
        """Until it is killed, write to the disk only what a commit waits for."""
        [(writer,)] = self.look("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
        freeze(writer)

    def kill(self) -> None:
        """`kill -9` of it and of everything that it has started, as if the machine had died.

        The postmaster stands still meanwhile. If it died first, who waits for a standby would wait
        no longer, and others would see what was not acknowledged.
        """
        assert self._process is not None
        freeze(self._process.pid)
        KILLS_NS.append(time.monotonic_ns())
        family = psutil.Process(self._process.pid).children(recursive=True)
        for one in family:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        self._process.kill()
        psutil.wait_procs(family, 10)
        self._process.wait()
        self._process = None
        lock = self.data / "postmaster.pid"
        memory = lock.read_text().splitlines()[_LINE_OF_MEMORY].split()[1]
        subprocess.run(["ipcrm", "--shmem-id", memory], check=True)  # the kernel would keep it
        lock.unlink()  # its pid is not ours to trust

    def promote(self) -> None:
        """Let the standby become the primary."""
        with self.connect() as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def end(self) -> None:
        """Whatever was done to it: end it, without a care for its files."""
        self._end(signal.SIGQUIT)

    def _end(self, signal_number: int) -> None:
        process, self._process = self._process, None
        with self._looks:  # a thread may look meanwhile
            if self._looking is not None:
                self._looking.close()
        if process is not None:
            process.send_signal(signal_number)
            process.wait(30)

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect to it, past everything: a socket of Unix is in every network namespace."""
        return psycopg.connect(
            self.url(database, host=quote(str(self.folder), "")), autocommit=True
        )

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Tests look often, so the connection is kept."""
        with self._looks:
            try:
                if self._looking is None or self._looking.closed:
                    self._looking = self.connect()
                return self._looking.execute(sql.encode(), values).fetchall()
            except psycopg.OperationalError:  # of a server that was killed, or stopped
                with self.connect() as connection:
                    return connection.execute(sql.encode(), values).fetchall()


@contextmanager
def running_server(
    folder: Path, cluster: Path, enter: Sequence[str] = (), **settings: str
) -> Iterator[DatabaseServer]:
    """A server with a copy of an empty cluster, until the end of the `with`."""
    server = DatabaseServer(folder, enter, **settings)
    server.take(cluster)
    server.start()
    try:
        yield server
    finally:
        server.end()
