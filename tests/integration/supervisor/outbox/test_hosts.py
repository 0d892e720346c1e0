"""Several hosts have the same outbox configured, and one of them drains it."""

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.outbox.table import create_table
from orpheus.shared.storage import Store, TypeRow, open_store
from orpheus.supervisor.outbox.drainer import Drainer, _open_source
from orpheus.supervisor.outbox.settings import OutboxSettings
from tests.machine import wait_until


class Host:
    """A drainer, and whether its host leads."""

    def __init__(self, settings: OutboxSettings) -> None:
        self.is_leader = False
        self.times_asked = 0
        self.drainer = Drainer(settings, leads=self._leads)
        self.drainer.start()

    def _leads(self) -> bool:
        self.times_asked += 1
        return self.is_leader

    def stop(self) -> None:
        self.drainer.stop()
        assert self.drainer.join(30)


@pytest.fixture
def store(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """Orpheus' database, which the hosts share."""
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    opened.types.replace([TypeRow("count", "{}", None, None, None, "")])
    yield opened
    opened.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[apsw.Connection]:
    """The application's database."""
    connection = apsw.Connection(str(tmp_path / "shop.db"))
    connection.set_busy_timeout(10_000)
    connection.execute(create_table("sqlite"))
    yield connection
    connection.close()


@pytest.fixture
def settings(postgresql_url: str, tmp_path: Path) -> OutboxSettings:
    state_dir = str(tmp_path / "state")
    return OutboxSettings(
        name="shop",
        url=f"sqlite:///{tmp_path}/shop.db",
        table="orpheus_outbox",
        poll_s=0.02,
        storage=StorageSettings(postgresql_url, durable=True, pools={}, state_dir=state_dir),
        defaults=JobDefaults(max_retries=3, timeout_s=900),
        max_payload_bytes=1000,
    )


def rows_of(shop: apsw.Connection) -> list[object]:
    return list(shop.execute("SELECT id FROM orpheus_outbox"))


def test_only_the_leader_drains_and_a_new_one_first_deletes_what_is_a_job_already(
    store: Store, shop: apsw.Connection, settings: OutboxSettings
) -> None:
    host = Host(settings)
    try:
        for n in (1, 2):
            shop.execute(
                "INSERT INTO orpheus_outbox (id, type, payload) VALUES (?, 'count', ?)",
                (n, json.dumps({"n": n})),
            )
        wait_until(lambda: host.times_asked > 3, "some looks")
        assert store.jobs.page(JobFilter(), 10) == []
        # The leader before made a job of the first row, and died before it deleted the row.
        source = _open_source(settings)
        store.jobs.submit(NewJob("count", '{"n": 1}'))
        store.outboxes.remember("shop", source.digest, 0, [1], refused=0)
        source.close()
        host.is_leader = True
        wait_until(lambda: not rows_of(shop), "an empty outbox")
        jobs = store.jobs.page(JobFilter(), 10)
        assert sorted(json.loads(job.payload)["n"] for job in jobs) == [1, 2]
    finally:
        host.stop()
