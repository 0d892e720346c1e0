"""The primary dies, its standby is promoted, and the proxy leads there: nothing is lost.

Commits that clients are told of have waited for the standby (synchronous_standby_names).
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.harness import until
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.tcp_proxy import TcpProxy

BACK_WITHIN_S = 5.0
DRAIN_BOUND_S = 30.0
IN_STEP = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


@pytest.fixture(scope="module")
def shared_standby(shared_server: DatabaseServer, server_folder: Path) -> Iterator[DatabaseServer]:
    """It follows the primary, which waits for it at each commit."""
    standby = DatabaseServer(server_folder / "standby")
    standby.copy(shared_server)
    standby.start()
    with shared_server.connect() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
    until(lambda: shared_server.look(IN_STEP), "the standby to follow")
    yield standby
    standby.end()


def test_a_standby_takes_over(
    shared_server: DatabaseServer,
    shared_standby: DatabaseServer,
    start_hosts: StartHosts,
    new_proxy: Callable[[int], TcpProxy],
) -> None:
    proxy = new_proxy(shared_server.port)
    url = shared_server.url(port=proxy.port)
    ada, bob = start_hosts({"ada": url, "bob": url})
    watched = WatchedHosts(shared_standby, DATABASE, [ada, bob])
    with watched.jobs_meanwhile():
        for host, other in ((ada, bob), (bob, ada)):
            watched.run_one(on=host, submitted_to=other)
        shared_server.kill()
        proxy.redirect(shared_standby.port)  # not promoted yet: nothing can be written there
        until(lambda: ada.client.get("/readyz").status_code == 503, "the host to notice")
        shared_standby.promote()
        began_s = time.monotonic()
        for host, other in ((ada, bob), (bob, ada)):
            watched.run_one(on=host, submitted_to=other)
        took_s = time.monotonic() - began_s
    watched.subscribe_anew()  # a standby may lack what a client has seen: it is told to
    assert took_s < BACK_WITHIN_S * slowness(), f"back after {took_s:.1f} s"
    watched.check_once_healed(DRAIN_BOUND_S)
    watched.stop()
