"""All use the same -shm file: nobody writes with a new one while another has the old one."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store, database_path, open_store
from tests.contract.conftest import Opener

pytestmark = pytest.mark.backends("sqlite")  # It is about files.

ROOT = Path(__file__).parents[2]
LOST = "-shm (or another file of the database )?was deleted or replaced"
ANOTHER_PROCESS = """
import sys
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store

store = open_store(sys.argv[1])
print("open", flush=True)
for line in sys.stdin:
    try:
        print(store.jobs.submit(NewJob("noop")).job.id, flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""
BEGIN = """
import apsw, sys
try:
    apsw.Connection(sys.argv[1]).execute("BEGIN IMMEDIATE")
except apsw.BusyError:
    print("busy")
"""


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    path.rename(path.with_name("away"))
    path.write_bytes(bytes(32_768))


@pytest.fixture
def shm(url: str) -> Path:
    return Path(f"{database_path(url)}-shm")


def ids(store: Store) -> list[int]:
    return [job.id for job in store.jobs.page(JobFilter(), 100)]


@pytest.mark.parametrize("lose", [delete, replace])
def test_a_write_without_the_shm_file_is_refused_and_the_next_one_opens_it_anew(
    store: Store, another: Opener, shm: Path, lose: Callable[[Path], None]
) -> None:
    idle = another()
    store.jobs.submit(NewJob("before"))
    lose(shm)
    with pytest.raises(DatabaseUnusable, match=LOST):
        store.jobs.submit(NewJob("refused"))
    for n, writes in enumerate((store, idle), start=2):
        assert writes.jobs.submit(NewJob("after")).job.id == n
    shm.unlink()
    assert another().jobs.submit(NewJob("after")).job.id == 4
    assert ids(store) == ids(idle) == [4, 3, 2, 1]
    assert store.maintenance.verify() == []


def test_nobody_writes_with_a_new_shm_file_while_another_process_has_the_old_one(
    store: Store, url: str, shm: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def ask() -> str:
            assert process.stdin is not None and process.stdout is not None
            print(file=process.stdin, flush=True)
            return process.stdout.readline().strip()

        assert process.stdout.readline() == "open\n"
        assert ask() == "1"
        shm.unlink()
        with pytest.raises(DatabaseUnusable, match=LOST):
            store.jobs.submit(NewJob("refused"))
        with pytest.raises(DatabaseUnusable, match="other processes have it open"):
            store.jobs.submit(NewJob("refused"))
        with pytest.raises(DatabaseUnusable, match="other processes have it open"):
            open_store(url)
        assert not shm.exists()
        assert ask() == "2"  # it is the last that has the old one, opens the new one, and writes
        assert store.jobs.submit(NewJob("after")).job.id == 3
        assert ask() == "4"
        process.stdin.close()
    assert ids(store) == [4, 3, 2, 1]
    assert store.maintenance.verify() == []


def test_a_restore_beside_an_idle_process_is_refused_and_the_error_names_where_to_look(
    store: Store, url: str, tmp_path: Path
) -> None:
    """`fuser` of the database itself shows nobody: the idle process has the file that was moved."""
    path, backup = database_path(url), tmp_path / "backup.db"
    store.maintenance.backup(backup)
    argv = [sys.executable, "-c", ANOTHER_PROCESS, url]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT) as idle:
        assert idle.stdin is not None and idle.stdout is not None
        assert idle.stdout.readline() == "open\n"
        store.close()  # Orpheus is stopped
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").rename(tmp_path / f"old{suffix}")
        backup.rename(path)
        with pytest.raises(DatabaseUnusable) as refused:
            open_store(url, create=True)
        [file] = re.findall(r"fuser (\S+)", str(refused.value))
        has_open = [one.path for one in psutil.Process(idle.pid).open_files()]
        assert file in has_open and str(path) not in has_open
        idle.stdin.close()
    open_store(url, create=True).close()


def test_a_reader_notices_within_a_second_and_does_not_keep_the_old_file_open(
    another: Opener, url: str, shm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.shared.storage.sqlite.handle._LOOK_EVERY_S", 0.0)
    store = another()
    store.jobs.submit(NewJob("before"))
    shm.unlink()
    assert ids(store) == [1]
    assert shm.exists()
    opened = open_store(url)
    opened.jobs.submit(NewJob("after"))
    assert ids(store) == ids(opened) == [2, 1]
    opened.close()


def test_opening_another_connection_releases_no_lock_of_its_process(store: Store, url: str) -> None:
    """As it would if it closed a descriptor of the -shm file."""
    with store.write(durable=False):
        Path(f"{database_path(url)}-open").unlink()
        open_store(url).close()
        answer = subprocess.run(
            [sys.executable, "-c", BEGIN, database_path(url)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.stdout == "busy\n", answer.stderr
