"""The API of a running Orpheus is replaced: by a reload, by an operator, and when that fails."""

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import psutil

from tests.integration.supervisor.configured import Configured
from tests.machine import PATIENCE_S

WaitFor = Callable[..., Any]


def test_the_api_is_restarted_moves_to_another_address_and_back_and_is_switched_off_and_on(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured(
        "[supervisor]\non_fatal = 'exit'\ncrash_loop_failures = 1\n[pools.default]\nworkers = 1\n"
    )
    a_replacement_that_does_not_start_ends_neither_the_api_nor_the_supervisor(running, wait_for)
    job = running.system.submit("sleep", {"seconds": 30})
    # A long poll keeps the old API, and its socket, a little longer.
    waiting = threading.Thread(target=lambda: running.system.client.get(f"/jobs/{job}?wait=20"))
    waiting.start()
    running.save("[pools.default]\nworkers = 1\n[api]\nhost = '127.0.0.2'\n")
    address = wait_for(
        lambda: re.search(r"http://127\.0\.0\.2:\d+", running.system.log()), "the new address"
    )[0]
    assert httpx2.get(f"{address}/readyz", trust_env=False, timeout=PATIENCE_S).status_code == 200
    running.save("[pools.default]\nworkers = 1\n")
    wait_for(lambda: running.system.log().count("config_reloaded") == 2, "the way back")
    assert "config_rejected" not in running.system.log()
    waiting.join()
    # Its port is the first one only if the old API still used that (api.port = 0: any free one).
    back = wait_for(partial(answering_address, running.system, "127.0.0.1"), "its first host")
    wait_for(partial(is_refused, address), "the second address to be closed")
    httpx2.post(f"{back}/jobs/{job}/cancel", trust_env=False, timeout=PATIENCE_S)
    is_switched_off_with_its_replacement_and_comes_back(running, back, wait_for)
    assert "config_rejected" not in running.system.log()
    assert running.system.stop() == 0


def is_switched_off_with_its_replacement_and_comes_back(
    running: Configured, address: str, wait_for: WaitFor
) -> None:
    restart = f"{address}/workers/api/restart"
    assert httpx2.post(restart, trust_env=False, timeout=PATIENCE_S).status_code == 202
    running.save("[api]\nenabled = false\n[pools.default]\nworkers = 1\n")
    wait_for(lambda: is_refused(address), "nobody to answer")
    supervisor = psutil.Process(running.system.process.pid)
    wait_for(lambda: len(supervisor.children()) == 1, "the worker to be alone")
    running.save("[pools.default]\nworkers = 1\n")
    wait_for(lambda: len(supervisor.children()) == 2, "the API to be started")


def answering_address(system: Any, host: str) -> str | None:
    """The last address of this host in the log, if it answers."""
    address: str = re.findall(rf"http://{re.escape(host)}:\d+", system.log())[-1]
    return None if is_refused(address) else address


def is_refused(address: str) -> bool:
    try:
        httpx2.get(f"{address}/healthz", trust_env=False, timeout=PATIENCE_S)
    except httpx2.ConnectError:
        return True
    except httpx2.HTTPError:
        return False
    return False


def a_replacement_that_does_not_start_ends_neither_the_api_nor_the_supervisor(
    running: Configured, wait_for: WaitFor
) -> None:
    before = running.pids()["api"]
    running.system.client.post("/workers/api/restart")
    supervisor = psutil.Process(running.system.process.pid)

    def replacement() -> psutil.Process | None:
        known = {before, running.pids().get("default-1")}
        return next((one for one in supervisor.children() if one.pid not in known), None)

    wait_for(replacement, "the replacement").kill()

    def says_why() -> bool:  # not at once, if the database is slow: that is said first
        reason: str = running.system.workers()["api"]["reason"]
        return reason.startswith("its replacement does not start: ")

    wait_for(says_why, "the reason to be shown")
    assert running.pids()["api"] == before
    assert running.system.process.poll() is None
    running.system.client.post("/workers/api/restart")
    wait_for(lambda: running.pids()["api"] != before, "the operator's restart")
    running.system.wait_until_ready()
