"""Redis and PostgreSQL for the peers that need one: started here, on loopback, with own folders.

Nothing that already runs on the machine is used, and nothing is left behind.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

GIVE_UP_S = 30.0


@dataclass(frozen=True)
class Server:
    """A running server; without a process: a system that needs none."""

    url: str = ""
    process: subprocess.Popen[bytes] | None = None


class NotMeasured(Exception):
    """A subject cannot be measured here; the message says what is missing."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes], number: signal.Signals | None = None) -> None:
    """Ask a process that leads a group to stop, if a signal is given; then kill the whole group."""
    if number is not None and process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GIVE_UP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def redis() -> Iterator[Server]:
    """Run a Redis that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotMeasured("no redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        process = _start([*command, "--save", "", "--appendonly", "no"])
        try:
            _wait(process, lambda: _answers(port))
            yield Server(f"redis://127.0.0.1:{port}/0", process)
        finally:
            stop(process)


@contextmanager
def postgresql(within: Path | None = None, **settings: str) -> Iterator[Server]:
    """Run a PostgreSQL with its default settings, so that its commits survive power loss.

    `settings` replace some of them. Its files lie in a new folder `within` a folder; without one,
    where temporary files do. The server also ends if the thread that started it is killed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    found = str(programs[-1]) if programs else shutil.which("initdb")
    if found is None:
        raise NotMeasured("no postgresql")
    port, user = free_port(), _plain_user()
    folder = Path(tempfile.mkdtemp(dir=within))
    data = folder / "data"
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        initdb = [found, "-D", str(data), "-U", "orpheus", "-A", "trust", "--no-sync"]
        subprocess.run([*_as(user), *initdb], check=True, stdout=-3)
        server = [str(Path(found).with_name("postgres")), "-D", str(data), "-p", str(port)]
        others = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = _start([*_as(user), *server, "-h", "127.0.0.1", "-k", str(folder), *others])
        try:
            _wait(process, lambda: _is_ready(data / "postmaster.pid"))
            url = f"postgresql://orpheus@127.0.0.1:{port}/postgres"
            yield Server(url, process)
        finally:
            stop(process, signal.SIGINT)
    finally:
        shutil.rmtree(folder)


def _version(program: Path) -> float:
    return float(program.parts[-3])


def _plain_user() -> pwd.struct_passwd | None:
    """Return the user that PostgreSQL runs as if we are root, whom it refuses."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as(user: pwd.struct_passwd | None) -> list[str]:
    """Return the start of a command that runs as `user` and gets SIGINT if this thread ends."""
    command = ["setpriv", "--pdeathsig=INT"]
    if user is not None:
        command += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return command


def _is_ready(pid_file: Path) -> bool:
    """Return whether PostgreSQL has noted there that it takes connections."""
    with suppress(FileNotFoundError):
        return "ready" in pid_file.read_text()
    return False


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd="/", stdin=-3, stdout=-3, stderr=-3, start_new_session=True
    )


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
    until = time.monotonic() + GIVE_UP_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            raise NotMeasured(f"{process.args!r} did not start")
        time.sleep(0.02)


def server(name: str) -> AbstractContextManager[Server]:
    """Return a fresh server; "" for none. Raises NotMeasured if it is not installed."""
    match name:
        case "redis":
            return redis()
        case "postgresql":
            return postgresql()
        case _:
            return nullcontext(Server())
