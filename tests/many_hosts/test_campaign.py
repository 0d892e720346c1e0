"""Hosts under random faults: cut off, killed, healed, deployed, and the server started again.

The first host always has the newer code; the others get it, and go back, while jobs of both
versions come. An application submits beside them in transactions of its own.

`CAMPAIGN_SEED=N CAMPAIGN_SECONDS=600 pytest tests/many_hosts/test_campaign.py` is another, longer
one, with more jobs: 5,000 in ten minutes. `CAMPAIGN_HOSTS` says how many hosts there are. The seed
fixes jobs, faults and when they strike, not what the processes make of it.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from tests.chaos.applications import Applications
from tests.chaos.harness import LEASE_TTL_S, show
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.many_hosts.tcp_proxy import TcpProxy

SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
SECONDS = float(os.environ.get("CAMPAIGN_SECONDS", "8"))
JOBS = round(SECONDS * 5000 / 600)
NAMES = ("ada", "bob", "cyd")[: int(os.environ.get("CAMPAIGN_HOSTS", "2"))]
DRAIN_BOUND_S = 120.0
CUTS_S = (0.5, 2.0, LEASE_TTL_S + 2)
SECRET = "hush-7d20c1"


class Faults:
    """What may be done to hosts and to their database, each by its name."""

    def __init__(
        self,
        server: DatabaseServer,
        hosts: Sequence[Host],
        networks: Sequence[TcpProxy],
        applications: Applications,
        codes: Path,
        chance: random.Random,
    ) -> None:
        self._server = server
        self._applications = applications
        self._codes = codes
        self._hosts = hosts
        self._networks = networks
        self._chance = chance
        self._timers: list[threading.Timer] = []
        self.done: list[str] = []

    def strike(self) -> None:
        """One of them."""
        weights = {
            self.cut_a_host_off: 6,
            self.break_connections: 4,
            self.kill_a_worker: 6,
            self.kill_a_host: 3,
            self.restart_the_server: 2,
            self.kill_the_server: 3,
            self.end_a_connection: 6,
            self.deploy_to_a_host: 6,
            self.kill_the_application: 3,
        }
        fault = self._chance.choices(list(weights), list(weights.values()))[0]
        self.done.append(fault.__name__)
        with contextlib.suppress(psutil.NoSuchProcess):
            fault()

    def cut_a_host_off(self) -> None:
        network = self._chance.choice(self._networks)
        network.cut()
        timer = threading.Timer(self._chance.choice(CUTS_S), network.heal)
        self._timers.append(timer)
        timer.start()

    def break_connections(self) -> None:
        self._chance.choice(self._networks).drop()

    def kill_a_worker(self) -> None:
        host = self._chance.choice(self._hosts)
        found = [one for one in host.supervisor.children() if "worker" in one.cmdline()]
        if found:
            self._chance.choice(found).kill()

    def kill_a_host(self) -> None:
        """And start it again a while later: at once, or once others have its jobs."""
        host = self._chance.choice(self._hosts)
        network = self._networks[self._hosts.index(host)]
        host.kill_everything()
        threading.Event().wait(self._chance.choice((0.0, 1.0)))
        network.heal()
        host.start()

    def restart_the_server(self) -> None:
        self._server.stop()
        self._server.start()

    def kill_the_server(self) -> None:
        self._server.kill()
        threading.Event().wait(self._chance.choice((0.0, 0.0, 2.0)))
        self._server.start()

    def end_a_connection(self) -> None:
        self._server.look(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'orpheus' ORDER BY random() LIMIT 1"
        )

    def deploy_to_a_host(self) -> None:
        """Give it the newer code, or the older one again."""
        host = self._chance.choice(self._hosts[1:])
        newer = newer_code(self._codes, host.name)
        if newer.exists():
            newer.unlink()
        else:
            newer.touch()
        host.supervisor.send_signal(signal.SIGUSR2)

    def kill_the_application(self) -> None:
        self._applications.kill()

    def end(self) -> None:
        """Everything is whole again."""
        for timer in self._timers:
            timer.join()


def newer_code(folder: Path, host: str) -> Path:
    """While this file is there, workers of that host start with the newer code."""
    return folder / f"newer-code-of-{host}"


@pytest.mark.timeout(SECONDS + 400)
def test_nothing_is_lost_or_done_twice_whatever_strikes(
    shared_server: DatabaseServer,
    start_hosts: StartHosts,
    new_proxy: Callable[[int], TcpProxy],
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    networks = [new_proxy(shared_server.port) for _ in NAMES]
    urls = {
        name: shared_server.url(port=network.port)
        for name, network in zip(NAMES, networks, strict=True)
    }
    newer_code(tmp_path, NAMES[0]).touch()
    hosts = start_hosts(
        urls,
        {"pools.default.workers": str(len(NAMES) - 1)},
        lambda name: {"CHAOS_NEWER_CODE": str(newer_code(tmp_path, name))},
    )
    watched = WatchedHosts(shared_server, DATABASE, hosts)
    with (
        Applications(tmp_path, shared_server.url()) as applications,
        watched.mixed_jobs_meanwhile(JOBS, SECONDS, random.Random(SEED), SECRET),
    ):
        faults = Faults(shared_server, hosts, networks, applications, tmp_path, chance)
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            threading.Event().wait(chance.uniform(0.2, 2.0))
            faults.strike()
        faults.end()
    watched.log.requests += applications.requests()
    drained_s = watched.check_once_healed(DRAIN_BOUND_S, SECRET)
    n = sum(len(request.ids) for request in watched.log.requests)
    told = ", ".join(f"{name} {times}" for name, times in Counter(faults.done).items())
    show(f"CAMPAIGN_SEED={SEED}: {n} jobs; drained in {drained_s:.1f} s; {told}")
    assert n >= JOBS
    watched.stop()
