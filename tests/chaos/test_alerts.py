"""A supervisor that is killed while it makes an alert: each firing makes one job."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import Look
from tests.machine import PATIENCE_S

RULE = '[{name="died", on=["job.failed"], every=1, type="flaky", payload={failures=0}}]'
ALERTS = "SELECT count(*) FROM jobs WHERE queue = 'alerts'"
FAILURES = "SELECT count(*) FROM events WHERE kind = 'job.failed'"


def has(orpheus: Orpheus, count: str, at_least: int) -> bool:
    """Whether a query counts so many."""
    with Look(orpheus.database) as tables:
        return int(tables.look(count)[0][0]) >= at_least


@pytest.mark.long  # tests/contract/test_alerts_at_once.py kills who evaluates at every step
def test_a_supervisor_killed_at_any_step_of_an_alert_makes_it_once(
    start: Callable[..., Orpheus], tmp_path: Path
) -> None:
    points = tmp_path / "points"
    points.mkdir()
    environment = {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(points)}
    orpheus = start({"alerts": RULE, "pools.default.workers": "1"}, environment=environment)
    orpheus.until_ready()
    for turn, point in enumerate(("alerts.before_commit", "alerts.committed"), 1):
        (tmp_path / "draft").write_text("kill")
        (tmp_path / "draft").rename(points / point)
        failing = {"type": "flaky", "payload": {"failures": 1, "permanent": True}}
        assert orpheus.client.post("/jobs", json=failing).status_code == 201
        orpheus.process.wait(PATIENCE_S)
        assert not (points / point).exists()
        orpheus.start()
        orpheus.until_ready()
        until(partial(has, orpheus, ALERTS, turn), "the alert")
        assert has(orpheus, FAILURES, turn)
        assert not has(orpheus, ALERTS, turn + 1)
    assert orpheus.stop() == 0
