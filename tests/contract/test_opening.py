"""Opening a database: made when asked for, refused untouched when it is not ours to change."""

import hashlib
import operator
import os
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import DatabaseUnusable, ReadTookTooLong
from orpheus.shared.storage import Store, database_path, open_store
from tests.machine import PATIENCE_S
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # It is about files.

ROOT = Path(__file__).parents[2]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_database_is_not_created_unless_asked(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="no database"):
        open_store(url)
    assert not database_path(url).exists()


def test_a_new_database_and_its_folder_belong_to_their_owner_alone(url: str) -> None:
    open_store(url, create=True).close()
    path = database_path(url)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_newer_schema_is_refused_and_the_file_left_as_it_was(url: str) -> None:
    open_store(url, create=True).close()
    path = database_path(url)
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = digest(path)
    for create in (True, False):
        with pytest.raises(DatabaseUnusable, match="999, newer than"):
            open_store(url, create=create)
    assert digest(path) == before


@pytest.mark.parametrize("what", ["jobs.submit", "writable", "stats.counts"])
def test_a_newer_schema_is_refused_by_who_has_had_it_open(
    store: Store, url: str, what: str
) -> None:
    newer = apsw.Connection(str(database_path(url)))
    newer.execute("PRAGMA user_version = 999")
    handle_of(store)._look_at_s = 0.0  # a second later
    given = (NewJob("noop"),) if what == "jobs.submit" else ()
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match=r"schema 999, newer than .*: update Orpheus"):
            operator.attrgetter(what)(store)(*given)
    newer.close()


def test_an_empty_file_is_a_new_database(url: str) -> None:
    path = database_path(url)
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(DatabaseUnusable, match="start Orpheus once"):
        open_store(url)
    store = open_store(url, create=True)
    store.jobs.submit(NewJob("noop"))
    store.close()


@pytest.mark.parametrize("damage", ["emptied", "deleted", "emptied in order"])
def test_an_empty_or_missing_file_beside_what_is_left_of_a_database_is_refused(
    url: str, damage: str
) -> None:
    """As a full disk, a failed copy or a tired operator leaves it."""
    path = database_path(url)
    open_and_kill(url)
    if damage == "emptied in order":
        open_store(url).close()  # all of the log is in the file now
        path.with_name(f"{path.name}-cells").mkdir()
    before = {one.name: digest(one) for one in files_beside(path)}
    path.unlink() if damage == "deleted" else os.truncate(path, 0)
    for create in (True, False):
        with pytest.raises(DatabaseUnusable, match="put the file back"):
            open_store(url, create=create)
    assert {one.name: digest(one) for one in files_beside(path)} == before
    if damage != "deleted":
        assert path.stat().st_size == 0


WRITER = """
import os, sys
from msgspec.structs import replace
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import open_store

url, jobs, boot_id = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = open_store(url, create=True)
me = own_record(SystemClock(), "host-1", Role.WORKER, "default-1", str(os.getpid()))
store.processes.register(replace(me, boot_id=boot_id or me.boot_id))
while jobs:
    store.jobs.submit(NewJob("noop", '"' + "x" * 3_000 + '"'))
    jobs -= 1
    print(jobs, flush=True)
os._exit(0)
"""


def start_to_write(url: str, jobs: int = -1, boot_id: str = "") -> "subprocess.Popen[bytes]":
    """A process that writes so many jobs (-1: without end) and ends as if it were killed."""
    argv = [sys.executable, "-c", WRITER, url, str(jobs), boot_id]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE)


def open_and_kill(url: str, jobs: int = 1, boot_id: str = "") -> None:
    """Leave a database as a process leaves it that is killed: with its log and its index."""
    with start_to_write(url, jobs, boot_id) as writer:
        writer.communicate(timeout=PATIENCE_S)
    assert writer.returncode == 0


def flip_a_byte(wal: Path, frame: int) -> None:
    content = bytearray(wal.read_bytes())
    content[32 + frame * (24 + 4_096) + 1_000] ^= 1
    wal.write_bytes(content)


def frames(wal: Path) -> int:
    return (wal.stat().st_size - 32) // (24 + 4_096)


def test_a_log_that_lost_commits_is_told_once_and_left_as_it_is(url: str) -> None:
    open_and_kill(url, 20)
    path = database_path(url)
    wal = path.with_name(f"{path.name}-wal")
    flip_a_byte(wal, frames(wal) * 3 // 4)
    before = digest(wal)
    with pytest.raises(DatabaseUnusable, match=r"only \d+ can be read, so the newest jobs"):
        open_store(url, create=True)
    assert digest(wal) == before
    store = open_store(url)
    assert 0 < store.stats.counts()[Status.PENDING] < 20
    store.close()


def test_a_log_that_a_power_loss_has_cut_is_none_that_lost_commits(url: str) -> None:
    open_and_kill(url, 20, boot_id="an earlier one")
    path = database_path(url)
    wal = path.with_name(f"{path.name}-wal")
    flip_a_byte(wal, frames(wal) * 3 // 4)
    store = open_store(url)
    assert 0 < store.stats.counts()[Status.PENDING] < 20
    store.close()


def test_a_process_killed_at_any_moment_leaves_no_log_that_lost_commits(url: str) -> None:
    """Each writes over the frames that the one before had begun and not committed."""
    for delay_ms in range(0, 150, 15):
        with start_to_write(url) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline(), "it was refused"
            time.sleep(delay_ms / 1_000)
            writer.kill()
    open_store(url).close()


def files_beside(path: Path) -> list[Path]:
    """What belongs to the database, without the file itself and what each opening makes."""
    found = path.parent.glob(f"{path.name}-*")
    return [one for one in found if one.is_file() and one.suffix != ".db-open"]


def test_an_older_schema_is_not_changed_by_a_reader(url: str) -> None:
    path = database_path(url)
    path.parent.mkdir(parents=True)
    apsw.Connection(str(path)).execute("PRAGMA application_id = 1330794568").close()
    with pytest.raises(DatabaseUnusable, match="start Orpheus once"):
        open_store(url)
    open_store(url, create=True).close()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(url: str) -> None:
    path = database_path(url)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, but something precious" * 100)
    before = digest(path)
    with pytest.raises(DatabaseUnusable, match="no database"):
        open_store(url, create=True)
    assert digest(path) == before


def test_a_database_of_another_program_is_refused_and_left_as_it_was(url: str) -> None:
    path = database_path(url)
    path.parent.mkdir(parents=True)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = digest(path)
    with pytest.raises(DatabaseUnusable, match="another program"):
        open_store(url, create=True)
    assert digest(path) == before


def test_a_folder_that_everyone_can_write_is_refused(url: str) -> None:
    folder = database_path(url).parent
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(DatabaseUnusable, match="writable by everyone"):
        open_store(url, create=True)


def test_a_symlinked_folder_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    database_path(url).parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatabaseUnusable, match="symbolic link"):
        open_store(url, create=True)


def test_a_store_says_whether_it_can_be_written(store: Store, another) -> None:
    assert store.writable()
    blocker = another()
    with blocker.write(durable=False):
        assert blocker.writable()  # its own transaction is open: it can
    assert store.writable()


def test_another_connections_commit_is_noticed_once(store: Store, another) -> None:
    store.data_changed()
    assert not store.data_changed()
    another().jobs.submit(NewJob("noop"))
    assert store.data_changed()
    assert not store.data_changed()


def test_an_acknowledged_write_waits_for_the_disk_where_power_may_fail(url: str) -> None:
    full, normal = 2, 1
    for durable, acknowledged in ((True, full), (False, normal)):
        store = open_store(url, create=True, durable=durable)
        for asked, expected in ((True, acknowledged), (False, normal)):
            with store.write(durable=asked):
                row = store._database.one("PRAGMA synchronous")
                assert row is not None and row[0] == expected
        store.close()


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_nothing_is_committed_to_a_file_that_lost_its_name_until_it_has_it_again(
    store: Store, url: str, suffix: str
) -> None:
    store.jobs.submit(NewJob("before"))
    path = Path(f"{database_path(url)}{suffix}")
    away = path.with_name("away")
    path.rename(away)
    for moved in ("moved", "replaced"):
        with pytest.raises(DatabaseUnusable, match="moved, deleted or replaced"):
            store.jobs.submit(NewJob(moved))
        with pytest.raises(DatabaseUnusable, match="moved, deleted or replaced"):
            store.writable()
        assert [job.type for job in store.jobs.page(JobFilter(), 9)] == ["before"]
        path.touch()
    away.rename(path)

    assert store.writable()
    store.jobs.submit(NewJob("after"))
    assert [job.type for job in store.jobs.page(JobFilter(), 9)] == ["after", "before"]


def test_a_query_is_stopped_at_its_time_limit_and_the_next_one_runs(store: Store) -> None:
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with store.time_limit(0.05), pytest.raises(ReadTookTooLong), store.snapshot():
        store._database.one(forever)
    with store.time_limit(10):
        assert store.stats.counts()
