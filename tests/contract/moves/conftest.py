"""Databases of every backend, several at once, and the move from one to another."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.servers import Server
from orpheus.shared.operations.moving import End, move
from orpheus.shared.storage import Store, open_store, shown_url
from tests.databases import make_database
from tests.full_database import fill

_numbers = count(1)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes a database of a backend; several are there at once."""
    made: list[str] = []

    def server() -> Server:
        found: Server = request.getfixturevalue("postgresql_server")
        return found

    def make(backend: str) -> str:
        number = next(_numbers)
        if backend == "sqlite":
            url = f"sqlite:///{tmp_path}/{number}/orpheus.db"
            make_database(url)
            return url
        template = request.getfixturevalue("orpheus_template")
        made.append(f"moved_{number}")
        with psycopg.connect(server().url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {made[-1]} TEMPLATE {template}".encode())
        return server().url.replace("/postgres", f"/{made[-1]}")

    yield make
    if made:
        with psycopg.connect(server().url, autocommit=True) as connection:
            for name in made:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def opened(clock: Any, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens a store, as a program that works with it unless `to_move`."""
    stores: list[Store] = []

    def open_one(url: str, *, create: bool = True, to_move: bool = False) -> Store:
        state = str(tmp_path / "state") if url.startswith("postgresql") else ""
        stores.append(open_store(url, create=create, clock=clock, state_dir=state, to_move=to_move))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def moved(opened: Callable[..., Store]) -> Callable[[str, str], dict[str, int]]:
    """Moves a database to another one, as a process of its own would."""

    def move_it(source: str, target: str) -> dict[str, int]:
        left, arrived = opened(source, create=False, to_move=True), opened(target, to_move=True)
        try:
            ends = End(left, shown_url(source)), End(arrived, shown_url(target))
            return move(*ends, lambda *_: None)
        finally:
            left.close()
            arrived.close()

    return move_it


@pytest.fixture
def full(
    new_url: Callable[[str], str], opened: Callable[..., Store], clock: Any
) -> Callable[[str], str]:
    """Makes a database with rows of every kind."""

    def make(backend: str) -> str:
        url = new_url(backend)
        store = opened(url)
        fill(store, clock.advance)
        assert store.maintenance.verify() == []
        store.close()
        return url

    return make
