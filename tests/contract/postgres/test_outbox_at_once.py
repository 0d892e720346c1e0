"""The batch of a drainer that was killed during its commit, and that of the next one."""

import threading

import psycopg
import pytest

from orpheus.shared.storage import RowId, Store
from tests.contract.conftest import Opener
from tests.machine import wait_until

pytestmark = pytest.mark.backends("postgresql")

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


def test_a_batch_waits_for_the_commit_of_the_one_before_and_is_told_its_rows(
    another: Opener, admin: psycopg.Connection
) -> None:
    killed, following = another(), another()
    told: list[list[RowId]] = []

    def drain(store: Store) -> None:
        with store.write(durable=True):
            told.append(store.outboxes.lock("shop", "here"))

    waits = threading.Thread(target=drain, args=(following,))
    with killed.write(durable=True):
        assert killed.outboxes.lock("shop", "here") == []
        killed.outboxes.remember("shop", "here", [3, 4], refused=0)
        waits.start()
        wait_until(lambda: admin.execute(_WAITING).fetchone() or told, "the next one to wait")
    waits.join()
    assert told == [[3, 4]]
