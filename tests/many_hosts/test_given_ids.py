"""No id of a job is given twice, though a standby takes over that lacks the last ones."""

from pathlib import Path

import psycopg

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, open_store, open_store_in
from tests.many_hosts.conftest import DATABASE
from tests.many_hosts.database_server import DatabaseServer

JSON_SAFE = 2**53


def submitted(store: Store, jobs: int) -> set[int]:
    return set(store.jobs.submit_many([NewJob("t")] * jobs))


def test_ids_that_were_lost_in_a_failover_are_not_given_again(
    shared_server: DatabaseServer, server_folder: Path, tmp_path: Path
) -> None:
    store = open_store(shared_server.url(DATABASE), create=True, state_dir=str(tmp_path))
    given = submitted(store, 3)
    standby = DatabaseServer(server_folder / "standby")
    standby.copy(shared_server)
    lost = submitted(store, 100)  # more than PostgreSQL notes ahead of a sequence
    store.close()
    shared_server.kill()
    standby.start()
    try:
        with psycopg.connect(standby.url(DATABASE)) as application:  # open since before
            standby.promote()
            given |= submitted(open_store_in(application, lambda answer: answer), 1)
            assert not given & lost
            store = open_store(standby.url(DATABASE), state_dir=str(tmp_path))
            given |= submitted(store, 2)  # the application has not committed yet
        assert not given & lost
        [next_one] = submitted(store, 1)
        assert next_one == max(given) + 1, "they jump once"
        assert next_one < JSON_SAFE / 100_000
        assert store.maintenance.verify() == []
        store.close()
    finally:
        standby.end()
