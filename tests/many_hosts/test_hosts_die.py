"""A host dies with all that runs there: another leads, and its jobs run elsewhere, in time.

The usual run shows of a host that is cut off how long that takes (test_network.py), and of one that
is cut off that another leads and runs its jobs.
"""

import time

import pytest

from tests.chaos.harness import LEASE_TTL_S, until
from tests.chaos.histories import read_effects
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer

DRAIN_BOUND_S = 30.0
ANOTHER_LEADS_S = 10.0
RUN_BY_ANOTHER_S = LEASE_TTL_S + 2
BUSY_S = 2.0
"""So long the other host can take no job, until the one that is to die has taken it."""
LEADER = "SELECT host FROM orpheus.leader"


@pytest.mark.long
def test_another_leads_and_runs_its_jobs(
    shared_server: DatabaseServer, start_hosts: StartHosts
) -> None:
    url = shared_server.url()
    hosts = {host.name: host for host in start_hosts({"ada": url, "bob": url})}
    watched = WatchedHosts(shared_server, DATABASE, list(hosts.values()))
    dying = hosts.pop(until(lambda: shared_server.look(LEADER), "a leader")[0][0])
    [other] = hosts.values()
    with watched.client() as client:
        payload = {"does": "sleep", "seconds": BUSY_S * slowness()}
        (busy,) = client.submit([{"type": "asked", "payload": payload, "queue": other.name}])
        other.until_entered(busy)
        payload = {"does": "sleep_deaf", "seconds": 600, "failures": 1}
        (job_id,) = client.submit([{"type": "asked", "payload": payload}])
        dying.until_entered(job_id)
    dying.kill_everything()
    began_s = time.monotonic()
    waited_s: dict[str, float] = {}

    def both() -> bool:
        now_s = time.monotonic() - began_s
        if shared_server.look(LEADER) == [(other.name,)]:
            waited_s.setdefault("leads", now_s)
        if any((run.job_id, run.attempt) == (job_id, 2) for run in read_effects(other.effects)):
            waited_s.setdefault("runs", now_s)
        return len(waited_s) == 2

    until(both, "another to lead, and to run its job")
    assert waited_s["leads"] < ANOTHER_LEADS_S * slowness(), waited_s
    assert waited_s["runs"] < RUN_BY_ANOTHER_S * slowness(), waited_s
    watched.check_once_healed(DRAIN_BOUND_S)
    watched.stop()
