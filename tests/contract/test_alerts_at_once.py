"""Each firing of a rule makes one job, whoever is killed, and however many evaluate it at once."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.storage import Store
from tests.contract.alert_rules import LATE, MINUTE_MS, RULE
from tests.contract.conftest import Fail

ROOT = Path(__file__).parents[2]
KILLED = Path(__file__).with_name("alerts_killed.py")


pytestmark = pytest.mark.usefixtures("notify")


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
