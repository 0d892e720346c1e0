"""A hundred clients, or with --long two hundred, of a real Orpheus while it runs jobs.

A thousand clients, with figures: `python -m benchmarks --only stream`.
"""

from contextlib import closing
from typing import Any

import pytest

from benchmarks.stream import Audience, follow_jobs
from orpheus.shared.storage import open_store
from tests.variants import variants


@pytest.mark.parametrize(("clients", "jobs"), variants([(100, 500), (200, 1_000)], (100, 500)))
@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "plain"])
def test_every_client_gets_every_event_in_order(
    system: Any, packed: bool, clients: int, jobs: int
) -> None:
    url = f"sqlite:///{system.database}"
    port = int(system.url.rpartition(":")[2])
    with closing(open_store(url)) as store:
        figures = follow_jobs(store, url, port, clients, jobs, Audience(packed))

    assert (figures.gaps, figures.resets) == (0, 0)
    assert figures.events >= 3 * jobs  # enqueued, started, done
