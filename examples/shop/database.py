"""The shop's own database: orders, mails, and the outbox of which Orpheus makes jobs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import config

SCHEMA = Path(__file__).with_name("schema.sql")


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """Commit all that is done inside; nothing of it, if an exception leaves the block."""
    connect = sqlite3.connect(config.DATABASE, timeout=10, isolation_level="IMMEDIATE")
    with closing(connect) as connection, connection:
        yield connection


def create() -> None:
    """Make the file and its tables."""
    config.DATA.mkdir(exist_ok=True)
    with transaction() as shop:
        shop.executescript(SCHEMA.read_text(encoding="utf-8"))


if __name__ == "__main__":
    create()
