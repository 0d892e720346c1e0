"""PgBouncer in transaction mode: each transaction may get another session of the server."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from benchmarks.servers import free_port
from tests.machine import wait_until
from tests.many_hosts.database_server import DatabaseServer, as_user

SESSIONS = 3
_SETTINGS = f"""
[databases]
postgres = host=127.0.0.1 port={{server}} user=orpheus
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {{port}}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SESSIONS}
max_client_conn = 200
server_login_retry = 1
"""


class Pooler:
    """One before a server, with fewer sessions than Orpheus has connections."""

    def __init__(self, server: DatabaseServer) -> None:
        """Raises Skipped, with CI Failed, if it is not installed."""
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)("PgBouncer is not installed")
        self._program = str(program)
        self.port = free_port()
        self._folder = server.folder
        self._file = self._folder / "pgbouncer.ini"
        self._file.write_text(_SETTINGS.format(server=server.port, port=self.port))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = server.url(port=self.port)

    def start(self) -> None:
        """Start it, and wait until it passes a query on."""
        with Path(self._folder / "pgbouncer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*as_user(), self._program, str(self._file)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, "PgBouncer to answer")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """`kill -9`."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


@contextmanager
def running_pooler(server: DatabaseServer) -> Iterator[Pooler]:
    """One that runs until the end of the `with`."""
    pooler = Pooler(server)
    pooler.start()
    try:
        yield pooler
    finally:
        pooler.kill()
