"""A database whose clock a test moves by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.storage import Store, open_store
from tests.databases import make_database


class Clock:
    """Half an hour after the epoch and after the boot; moved by hand."""

    boot_id = "boot"
    now_ms = 1_800_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    made = open_store(url, clock=clock)
    yield made
    made.close()
