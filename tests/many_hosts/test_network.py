"""The network between a host and the database fails, or is slow.

A host that is cut off ends its jobs itself; back, it can change nothing. What is sent to and from
it is held in its proxy: nothing tells it that the connection is gone.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import pytest

from tests.chaos.harness import LEASE_TTL_S, QUICK, lives, until
from tests.chaos.histories import Run, read_effects
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.many_hosts.tcp_proxy import TcpProxy

DRAIN_BOUND_S = 30.0
CANCEL_GRACE_S = float(QUICK["jobs.cancel_grace"].removesuffix("s"))
BEAT_S = 0.6
BUSY_S = 2.0
SLOW_S = 0.02
"""For each message, in each direction."""
RUN_BY_ANOTHER_S = LEASE_TTL_S + 2
"""The promise: so long after a host is gone, another runs its jobs."""


@dataclass
class Cut:
    """Two hosts, one of which can be cut off."""

    watched: WatchedHosts
    ada: Host
    bob: Host
    network: TcpProxy
    """Between ada and the database."""

    def begin_on_ada(self, does: str, seconds: float) -> int:
        """Have ada run a job, which bob would do at once; its id, when its code has begun."""
        with self.watched.client() as client:
            busy = {"does": "sleep", "seconds": BUSY_S}
            (busy_id,) = client.submit([{"type": "asked", "payload": busy, "queue": "bob"}])
            self.bob.until_entered(busy_id)
            payload = {"does": does, "seconds": seconds, "failures": 1}
            (job_id,) = client.submit([{"type": "asked", "payload": payload}])
        run = self.ada.until_entered(job_id)
        assert run.pid == self.ada.slot()["pid"]
        return job_id

    def runs_of(self, job_id: int) -> list[Run]:
        return [run for run in read_effects(self.ada.effects) if run.job_id == job_id]


@pytest.fixture(scope="module")
def shared_cut(
    shared_server: DatabaseServer,
    start_hosts: StartHosts,
    new_proxy: Callable[[int], TcpProxy],
) -> Iterator[Cut]:
    network = new_proxy(shared_server.port)
    urls = {"ada": shared_server.url(port=network.port), "bob": shared_server.url()}
    ada, bob = start_hosts(urls)
    watched = WatchedHosts(shared_server, DATABASE, [ada, bob])
    yield Cut(watched, ada, bob, network)
    network.heal()
    watched.stop()


@pytest.fixture
def cut(shared_cut: Cut) -> Iterator[Cut]:
    """Afterwards everything is checked."""
    yield shared_cut
    shared_cut.network.heal()
    shared_cut.watched.check_once_healed(DRAIN_BOUND_S)


def test_its_job_is_ended_before_another_host_runs_it(cut: Cut) -> None:
    job_id = cut.begin_on_ada("sleep_deaf", 60)
    [first] = cut.runs_of(job_id)
    worker = psutil.Process(first.pid)
    cut.network.cut()
    began_s = time.monotonic()
    until(lambda: len(cut.runs_of(job_id)) == 2, "another host to run the job")
    assert time.monotonic() - began_s < RUN_BY_ANOTHER_S * slowness()
    until(lambda: not lives(worker), "the cut-off host to end its worker")
    ended_after_s = time.monotonic() - began_s
    assert ended_after_s < (LEASE_TTL_S + CANCEL_GRACE_S + 2 * BEAT_S) * slowness()
    assert "lease_expired" in cut.ada.log()


def test_what_it_finishes_meanwhile_is_refused_when_it_is_back(cut: Cut) -> None:
    log_at = len(cut.ada.log())
    job_id = cut.begin_on_ada("sleep_deaf", LEASE_TTL_S / 3)
    cut.network.cut()
    until(lambda: cut.runs_of(job_id)[0].end_ns, "the cut-off host to finish the job")
    done = cut.bob.until_ended(job_id)
    assert [one["outcome"] for one in done["attempts"]] == ["lost", "succeeded"]
    cut.network.heal()
    until(lambda: "results_refused" in cut.ada.log()[log_at:], "its result to be refused")
    assert cut.bob.job(job_id) == done


def test_on_a_slow_network_jobs_run_and_no_process_is_to_blame(cut: Cut) -> None:
    before = {name: slot["pid"] for name, slot in cut.ada.workers().items()}
    cut.network.delay_s = SLOW_S
    try:
        for host, other in ((cut.ada, cut.bob), (cut.bob, cut.ada)):
            cut.watched.run_one(on=host, submitted_to=other)
        job_id = cut.watched.run_one(on=cut.ada, submitted_to=cut.ada, seconds=LEASE_TTL_S + 0.5)
        assert cut.bob.outcomes(job_id) == ["succeeded"]
    finally:
        cut.network.delay_s = 0
    assert before == {name: slot["pid"] for name, slot in cut.ada.workers().items()}
