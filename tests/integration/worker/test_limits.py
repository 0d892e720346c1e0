"""Queues with limits, between sleeping workers whose safety poll is a minute away."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.domain.rates import KeyRules, QueueRules, parse_rate
from orpheus.shared.storage import open_store
from tests.variants import variants

Start = Callable[..., Any]
POOLS = {"one": ("narrow",), "two": ("narrow", "other")}


@pytest.fixture
def start_in(database: Any, start_supervised: Start) -> Start:
    """Starts a worker of a pool that polls once a minute, if nobody rings."""
    database.store.close()
    database.store = open_store(database.url, pools=POOLS)  # whom the test's own commits ring

    def start(pool: str) -> Any:
        return start_supervised(
            storage=StorageSettings(url=database.url, durable=True, pools=POOLS),
            pool=pool,
            queues=POOLS[pool],
            beat_interval_s=60.0,
            beat_timeout_s=300.0,
        ).wait_until_ready()

    return start


FIVE = parse_rate("5/s", 5)


@pytest.mark.parametrize(
    "rules",
    variants(
        [QueueRules(rate=FIVE), QueueRules(per_key=KeyRules(rate=FIVE))],
        QueueRules(per_key=KeyRules(rate=FIVE)),
    ),
)
def test_jobs_that_a_rate_delays_start_when_their_time_has_come(
    database: Any, start_in: Start, rules: QueueRules
) -> None:
    database.store.queues.configure({"narrow": rules})
    start_in("one")
    ids = [database.submit("nap", queue="narrow", concurrency_key="k") for _ in range(10)]
    started = sorted(database.wait(job_id).started_at_ms for job_id in ids)
    assert started[-1] - started[0] >= 900, "five at once, then five a second"
    assert started[-1] - started[0] < 10_000, "nobody waited for the safety poll"
