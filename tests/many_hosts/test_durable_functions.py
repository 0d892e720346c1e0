"""Durable functions on three hosts: one is cut off, workers of the others are killed.

What the host that is cut off does meanwhile, it cannot keep: another host goes on from what is
kept. `DURABLE_FUNCTIONS` and `CAMPAIGN_SEED`: as in the campaigns of tests/chaos and here.
"""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.storage import open_store
from tests.chaos.durable import MODULES, POOLS, LongStories
from tests.chaos.harness import LEASE_TTL_S, show, until
from tests.chaos.test_durable_campaign import DRAIN_BOUND_S, FUNCTIONS, kill_child
from tests.machine import slowness
from tests.many_hosts.conftest import StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.tcp_proxy import TcpProxy

SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
NAMES = ("ada", "bob", "cyd")
RUNNING = "SELECT FROM orpheus.jobs WHERE status = 'in_progress' AND worker_pid = ANY(%s)"
EXPIRED = "SELECT count(*) FROM orpheus.attempts WHERE error_type = 'LeaseExpired'"


@pytest.mark.long
@pytest.mark.timeout(300 + 3 * DRAIN_BOUND_S)
def test_each_function_ends_once_though_a_host_is_cut_off(
    shared_server: DatabaseServer,
    start_hosts: StartHosts,
    new_proxy: Callable[[int], TcpProxy],
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    network = new_proxy(shared_server.port)
    urls = dict.fromkeys(NAMES, shared_server.url())
    hosts = start_hosts(urls | {"ada": shared_server.url(port=network.port)}, MODULES)
    for host in hosts:
        host.until_ready()
    with contextlib.closing(
        open_store(shared_server.url(), pools=POOLS, state_dir=str(tmp_path / "state"))
    ) as store:
        stories = LongStories(store, hosts[0].effects.parent)
        stories.submit(hosts[1], FUNCTIONS)
        pids = [slot["pid"] for slot in hosts[0].workers().values()]
        until(lambda: shared_server.look(RUNNING, pids), "the host to run a function")
        network.cut()
        end_s = time.monotonic() + LEASE_TTL_S + 2
        kills = 0
        while time.monotonic() < end_s or stories.are_unsent():
            stories.send_signals()
            kill_child(chance.choice(hosts[1:]), "worker", chance)
            kills += 1
            threading.Event().wait(chance.uniform(0.5, 2.0))
            if time.monotonic() > end_s:
                network.heal()
        network.heal()
        for host in hosts:
            host.until_healed()
        stories.check(DRAIN_BOUND_S * slowness())
    [(expired,)] = shared_server.look(EXPIRED)
    show(f"{FUNCTIONS} functions; {kills} workers killed; {expired} leases expired")
    assert expired, "no function ran on the host that was cut off"
