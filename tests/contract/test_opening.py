"""Opening a database: made when asked for, refused untouched when it is not ours to change."""

import hashlib
from pathlib import Path

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseUnusable, ReadTookTooLong
from orpheus.shared.storage import JobFilter, Store, database_path, open_store


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


def test_jobs_survive_closing_and_opening(url: str) -> None:
    first = open_store(url, create=True)
    job = first.jobs.submit(NewJob("noop", payload='{"a": 1}')).job
    first.close()
    second = open_store(url)
    assert second.jobs.get(job.id) == job
    second.close()


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


def test_a_bell_is_found_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///data/orpheus.db", create=True, pools={"default": ("*",)})
    bell = store.bells.listen_pool("default")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.jobs.submit(NewJob("noop"))
    assert bell.drain()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    bell.close()
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
