"""The network between a host and the database fails, or is slow.

A host that is cut off ends its jobs itself; back, it can change nothing. Nothing tells it that the
connection is gone: it is in a network namespace, and its packets get lost. Where this machine
allows no namespaces, a proxy holds what is sent.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.chaos.harness import LEASE_TTL_S, QUICK, lives, until
from tests.chaos.histories import Run, read_effects
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer, running_server
from tests.many_hosts.hosts import Host
from tests.many_hosts.namespaces import HostNamespace, Line, namespaces
from tests.many_hosts.tcp_proxy import TcpProxy

DRAIN_BOUND_S = 30.0
CANCEL_GRACE_S = float(QUICK["jobs.cancel_grace"].removesuffix("s"))
BEAT_S = 0.6
BUSY_S = 2.0
SLOW_S = 0.02
"""For each message, in each direction."""
RUN_BY_ANOTHER_S = LEASE_TTL_S + 2
"""The promise: so long after a host is gone, another runs its jobs."""
ANOTHER_LEADS_S = 10.0
SESSIONS_END_S = 20.0
BACK_WITHIN_S = 10.0
"""So long after the network is whole again: TCP sends again after a few seconds only."""


@dataclass
class Cut:
    """Two hosts, one of which can be cut off."""

    watched: WatchedHosts
    ada: Host
    bob: Host
    network: Line
    """Between ada and the database."""
    server: DatabaseServer
    address: str
    """Of ada, as the server sees it; empty behind a proxy."""
    slow: TcpProxy
    """Between bob and the database."""

    def begin_on_ada(self, does: str, seconds: float) -> int:
        """Have ada run a job, which bob would do at once; its id, when its code has begun."""
        with self.watched.client() as client:
            busy = {"does": "sleep", "seconds": BUSY_S * slowness()}
            (busy_id,) = client.submit([{"type": "asked", "payload": busy, "queue": "bob"}])
            self.bob.until_entered(busy_id)
            payload = {"does": does, "seconds": seconds, "failures": 1}
            (job_id,) = client.submit([{"type": "asked", "payload": payload}])
        run = self.ada.until_entered(job_id)
        assert run.pid == self.ada.slot()["pid"]
        return job_id

    def until_another_runs(self, job_id: int, began_s: float) -> None:
        """Until another host runs a job of ada, which was cut off at `began_s`."""
        until(lambda: len(self.runs_of(job_id)) == 2, "another host to run the job")
        assert time.monotonic() - began_s < RUN_BY_ANOTHER_S * slowness()

    def leader(self) -> str:
        """The host that leads."""
        found = self.server.look("SELECT host FROM orpheus.leader")
        return str(found[0][0]) if found else ""

    def let_ada_lead(self) -> None:
        """Let the other one leave, until ada is the next to ask."""

        def leads() -> bool:
            self.server.look("DELETE FROM orpheus.leader WHERE host <> 'ada' RETURNING 1")
            return self.leader() == "ada"

        until(leads, "ada to lead")

    def runs_of(self, job_id: int) -> list[Run]:
        return [run for run in read_effects(self.ada.effects) if run.job_id == job_id]


@pytest.fixture(scope="module")
def shared_namespaces() -> Iterator[list[HostNamespace]]:
    """One for the database and one for ada; none where the machine allows none."""
    with namespaces(2) as found:
        yield found


@pytest.fixture(scope="module")
def shared_server(
    server_folder: Path, empty_cluster: Path, shared_namespaces: list[HostNamespace]
) -> Iterator[DatabaseServer]:
    enter = shared_namespaces[0].enter if shared_namespaces else ()
    with running_server(server_folder / "primary", empty_cluster, enter) as server:
        yield server


@pytest.fixture(scope="module")
def shared_cut(
    shared_namespaces: list[HostNamespace],
    shared_server: DatabaseServer,
    start_hosts: StartHosts,
    new_proxy: Callable[..., TcpProxy],
) -> Iterator[Cut]:
    in_namespaces: dict[str, HostNamespace] = {}
    network: Line
    if shared_namespaces:
        there, network = shared_namespaces
        in_namespaces, address = {"ada": network}, network.address
        slow, url = (
            new_proxy(shared_server.port, there.socket),
            shared_server.url(host=there.address),
        )
    else:
        slow, network = proxies = [new_proxy(shared_server.port) for _ in range(2)]
        address, url = "", shared_server.url(port=proxies[1].port)
    urls = {"ada": url, "bob": shared_server.url(port=slow.port)}
    ada, bob = start_hosts(urls, namespaces=in_namespaces)
    watched = WatchedHosts(shared_server, DATABASE, [ada, bob])
    yield Cut(watched, ada, bob, network, shared_server, address, slow)
    network.heal()
    watched.stop()


@pytest.fixture
def cut(shared_cut: Cut) -> Iterator[Cut]:
    """Afterwards everything is checked."""
    yield shared_cut
    shared_cut.network.heal()
    shared_cut.watched.check_once_healed(DRAIN_BOUND_S)


def test_its_job_is_ended_before_another_host_runs_it_and_leads(cut: Cut) -> None:
    cut.let_ada_lead()
    job_id = cut.begin_on_ada("sleep_deaf", 60)
    [first] = cut.runs_of(job_id)
    worker = psutil.Process(first.pid)
    cut.network.unplug()
    began_s = time.monotonic()
    until(lambda: cut.leader() == "bob", "another leader")
    assert time.monotonic() - began_s < ANOTHER_LEADS_S * slowness()
    cut.until_another_runs(job_id, began_s)
    until(lambda: not lives(worker), "the cut-off host to end its worker")
    ended_after_s = time.monotonic() - began_s
    assert ended_after_s < (LEASE_TTL_S + CANCEL_GRACE_S + 2 * BEAT_S) * slowness()
    assert "lease_expired" in cut.ada.log()
    if cut.address:
        sessions = "SELECT FROM pg_stat_activity WHERE client_addr = %s::inet"
        until(lambda: not cut.server.look(sessions, cut.address), "its sessions to end")
        assert time.monotonic() - began_s < SESSIONS_END_S * slowness()
    heals(cut)


def heals(cut: Cut) -> None:
    """The network is whole again, and soon the host that was cut off runs jobs."""
    cut.network.heal()
    began_s = time.monotonic()
    cut.watched.run_one(on=cut.ada, submitted_to=cut.bob)
    assert time.monotonic() - began_s < BACK_WITHIN_S * slowness()


@pytest.mark.long
def test_a_leader_that_can_send_but_gets_no_answers_is_replaced(cut: Cut) -> None:
    cut.let_ada_lead()
    job_id = cut.begin_on_ada("sleep_deaf", 60)
    cut.network.cut(sent=False)
    began_s = time.monotonic()
    until(lambda: cut.leader() == "bob", "another leader")
    assert time.monotonic() - began_s < ANOTHER_LEADS_S * slowness()
    cut.until_another_runs(job_id, began_s)
    heals(cut)


@pytest.mark.long
def test_what_it_finishes_while_what_it_sends_gets_lost_is_refused_later(cut: Cut) -> None:
    log_at = len(cut.ada.log())
    job_id = cut.begin_on_ada("sleep_deaf", LEASE_TTL_S / 3)
    cut.network.cut(received=False)
    until(lambda: cut.runs_of(job_id)[0].end_ns, "the cut-off host to finish the job")
    done = cut.bob.until_ended(job_id)
    assert [one["outcome"] for one in done["attempts"]] == ["lost", "succeeded"]
    cut.network.heal()
    until(lambda: "results_refused" in cut.ada.log()[log_at:], "its result to be refused")
    assert cut.bob.job(job_id) == done


@pytest.mark.long
def test_on_a_slow_network_jobs_run_and_no_process_is_to_blame(cut: Cut) -> None:
    before = {name: slot["pid"] for name, slot in cut.bob.workers().items()}
    cut.slow.delay_s = SLOW_S
    try:
        for host, other in ((cut.ada, cut.bob), (cut.bob, cut.ada)):
            cut.watched.run_one(on=host, submitted_to=other)
        job_id = cut.watched.run_one(on=cut.bob, submitted_to=cut.bob, seconds=LEASE_TTL_S + 0.5)
        assert cut.ada.outcomes(job_id) == ["succeeded"]
    finally:
        cut.slow.delay_s = 0
    assert before == {name: slot["pid"] for name, slot in cut.bob.workers().items()}
