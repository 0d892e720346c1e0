"""Attempts that run at once, without a database."""

import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any
from unittest.mock import MagicMock

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.around import Around, Spans
from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import NoTimeout

BLOCKED_AFTER_S = 0.2
MOST_S = 30.0


class Jobs:
    """Starts attempts, and returns how they end."""

    def __init__(self, make_lease: Callable[..., Lease], queries: Any) -> None:
        self._make_lease = make_lease
        self._queries = queries
        self._n = 0
        self._ended: SimpleQueue[tuple[RunningAttempt, Finished]] = SimpleQueue()
        self.executor: ConcurrentExecutor | None = None
        self.around: Around = ()
        self.spans: Spans | None = None

    def start(self, name: str, **fields: Any) -> RunningAttempt:
        if self.executor is None:
            self.executor = ConcurrentExecutor(
                load_job_types([]),
                {},
                NoTimeout(),
                self._queries,
                self.around,
                self.spans,
                capture=MagicMock(),
                places=8,
                blocked_after_s=BLOCKED_AFTER_S,
            )
            self.executor.on_end = lambda *ended: self._ended.put(ended)
        self._n += 1
        lease = self._make_lease(job_id=self._n, token=self._n, type=name, **fields)
        attempt = RunningAttempt(lease, time.monotonic())
        self.executor.start(attempt)
        return attempt

    def end(self) -> Finished:
        """How the next one ended."""
        return self._ended.get(timeout=MOST_S)[1]


@pytest.fixture(autouse=True)
def empty_registry() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registry", {})
        yield


@pytest.fixture
def jobs(make_lease: Callable[..., Lease], queries: Any) -> Iterator[Jobs]:
    made = Jobs(make_lease, queries)
    yield made
    if made.executor is not None:
        made.executor.stop()
