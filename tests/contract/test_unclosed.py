"""A store that nobody closed lets go of all that it holds, once Python has collected it."""

import gc
import warnings
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import database_path, open_store


def forget(url: str, folder: Path) -> None:
    """Open a store, write and ring by it, and have it collected."""
    state_dir = str(folder / "state") if url.startswith("postgresql") else ""
    store = open_store(url, create=True, pools={"default": ("*",)}, state_dir=state_dir)
    store.jobs.submit(NewJob("noop"))
    del store
    gc.collect()


def descriptors() -> set[tuple[str, str]]:
    """Numbers and targets of what this process has open."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        try:
            found.add((one.name, str(one.readlink())))
        except FileNotFoundError:  # that of the listing itself
            continue
    return found


def test_it_leaves_no_descriptor(url: str, tmp_path: Path) -> None:
    gc.collect()
    before = descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            forget(url, tmp_path)
    assert descriptors() <= before


@pytest.mark.backends("sqlite")  # It is about files. PostgreSQL: psycopg warns.
def test_it_warns_and_leaves_no_file_beside_the_database(url: str, tmp_path: Path) -> None:
    with pytest.warns(ResourceWarning, match=r"orpheus\.db was not closed"):
        forget(url, tmp_path)
    path = database_path(url)
    beside = [file.name for file in path.parent.iterdir() if file.is_file()]
    assert beside == [path.name]
