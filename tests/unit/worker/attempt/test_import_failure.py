"""What is said of a job module that does not import; tests/integration/worker has the rest."""

from pathlib import Path

import pytest

from orpheus.worker.attempt.import_failure import import_failure


def test_a_current_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    why = import_failure("jobs.modules: shop", ModuleNotFoundError("No module", name="shop"))
    assert why.splitlines() == [
        "jobs.modules: shop does not import: ModuleNotFoundError: No module",
        "the current folder was deleted: restart Orpheus in the one that took its place",
    ]
