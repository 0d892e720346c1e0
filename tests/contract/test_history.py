"""The epoch: a restored backup is noticed, and nothing else changes it."""

import shutil
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, database_path, open_store
from tests.contract.conftest import Opener

pytestmark = pytest.mark.backends("sqlite")  # It is about a note beside the file.


def fill(store: Store, jobs: int) -> None:
    """Submit jobs, and note as upkeep does how far the events have come."""
    store.jobs.submit_many([NewJob("noop")] * jobs)
    store.maintenance.note_history()


def copy_of(store: Store, url: str, to: Path) -> Path:
    """Copy the file of a store, which is closed for it, as `cp` does."""
    store.close()
    return Path(shutil.copy(database_path(url), to))


def test_an_epoch_stays_whoever_opens_and_writes(store: Store, another: Opener) -> None:
    epoch = store.events.epoch()
    assert len(epoch) == 16
    fill(store, 3)
    fill(another(), 2)
    store.jobs.submit(NewJob("noop"))  # a start after a kill finds more than was noted
    assert {another().events.epoch() for _ in range(3)} == {epoch}


def test_a_copy_that_is_put_back_has_another_epoch(
    store: Store, url: str, another: Opener, tmp_path: Path
) -> None:
    epoch = store.events.epoch()
    fill(store, 3)
    backup = copy_of(store, url, tmp_path / "copy.db")
    later = another()
    fill(later, 2)
    assert later.events.epoch() == epoch
    seen = {epoch}
    for _ in range(2):  # the second time the same copy is put back
        later.close()
        shutil.copy(backup, database_path(url))
        later = another()
        assert later.events.epoch() not in seen
        seen.add(later.events.epoch())
        fill(later, 1)
        restarted = another()
        assert restarted.events.epoch() == later.events.epoch()
        restarted.close()


def test_a_backup_has_another_epoch_at_once(store: Store, tmp_path: Path) -> None:
    fill(store, 3)
    store.maintenance.backup(tmp_path / "copies.db")
    copy = open_store(f"sqlite:///{tmp_path}/copies.db")
    assert copy.events.epoch() != store.events.epoch()
    assert copy.maintenance.verify() == []
    copy.close()


def test_no_id_is_given_again_by_a_copy_that_is_put_back_and_by_a_backup(
    store: Store, url: str, another: Opener, tmp_path: Path
) -> None:
    fill(store, 3)
    store.maintenance.backup(tmp_path / "backup.db")
    copy = copy_of(store, url, tmp_path / "copy.db")
    later = another()
    lost = set(later.jobs.submit_many([NewJob("noop")] * 9))
    later.maintenance.note_history()
    later.close()
    for saved in (copy, tmp_path / "backup.db"):
        shutil.copy(saved, database_path(url))
        restored = another()
        [first, second] = restored.jobs.submit_many([NewJob("noop")] * 2)
        assert lost.isdisjoint({first, second})
        assert second == first + 1
        assert restored.maintenance.verify() == []
        restored.close()


def test_only_a_start_changes_the_epoch(store: Store, url: str, tmp_path: Path) -> None:
    fill(store, 3)
    epoch = store.events.epoch()
    Path(f"{database_path(url)}-history").write_text(f"{epoch} 999\n")
    looking = open_store(url)
    assert looking.events.epoch() == epoch
    looking.close()
    starting = open_store(url, create=True)
    assert store.events.epoch() == starting.events.epoch() != epoch
    starting.close()
