"""Each firing of a rule makes one job, whoever is killed, and however many evaluate it at once."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.storage import Store
from tests.contract.alert_rules import LATE, MINUTE_MS, NOTIFY, RULE, alerts, look
from tests.contract.conftest import Fail
from tests.machine import wait_until

ROOT = Path(__file__).parents[2]
KILLED = Path(__file__).with_name("alerts_killed.py")


@pytest.fixture(autouse=True)
def described(store: Store) -> None:
    """The type of the jobs of alerts is known."""
    store.types.replace([NOTIFY])


def test_whatever_step_kills_who_evaluates_each_firing_makes_one_job(
    store: Store, url: str, tmp_path: Path, clock: Any, submit: Any, fail: Fail
) -> None:
    rules = [RULE, replace(RULE, name="counts", after=2, within_s=60), replace(LATE, every_s=1)]
    store.alerts.configure(rules)
    state_dir = str(tmp_path / "state") if url.startswith("postgresql") else ""
    for turn in range(1, 3):
        for _ in range(2):
            fail()
            submit(queue="mail")
        clock.advance(5 * MINUTE_MS)
        killed = subprocess.run(
            [sys.executable, str(KILLED), url, state_dir, str(clock.wall)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(killed.stdout) > 15
        told = Counter(job.tags for job in store.jobs.page(JobFilter(queue="alerts"), 100))
        assert told == {("ops",): turn, ("counts",): turn, ("late",): 1}
        assert [row.state.held_back for row in store.alerts.all()] == [0, 0, 0]
    assert store.maintenance.verify() == []


def test_of_many_who_evaluate_at_once_nobody_tells_an_event_twice_or_loses_it(
    store: Store, another: Any, clock: Any
) -> None:
    store.alerts.configure([replace(RULE, on=("config.rejected",), every_s=1)])
    stores, is_over = [another() for _ in range(3)], threading.Event()

    def evaluate(own: Store) -> None:
        while not is_over.is_set():
            look(own)

    def more_than(count: int) -> Callable[[], bool]:
        return lambda: len(alerts(store)) > count

    threads = [threading.Thread(target=evaluate, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    try:
        for turn in range(3):
            for _ in range(20):
                store.events.record(Kind.CONFIG_REJECTED, {"reason": "a typo"})
                clock.advance(100)
            # On a busy machine, all could else be recorded before anyone has evaluated once.
            wait_until(more_than(turn), "an alert")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    clock.advance(1000)
    look(store)
    told = [one["alert"] for one in alerts(store)]
    assert len(told) >= 3
    assert sum(1 + one["held_back"] for one in told) == 60
