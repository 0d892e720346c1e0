"""Leases and queries without a database."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.registry import PermanentError

LEASE = Lease(
    job_id=7,
    token=70,
    attempt=1,
    type="t",
    payload="{}",
    queue="default",
    timeout_s=60.0,
    max_retries=3,
    failures=0,
    crashes=0,
    started_at_ms=0,
    expires_mono_ms=30_000,
    cancel_requested=False,
)


@pytest.fixture
def make_lease() -> Callable[..., Lease]:
    """A lease, with some fields changed."""

    def make(**fields: Any) -> Lease:
        return replace(LEASE, **fields)

    return make


class FakeQueries:
    """Knows the type `child`, and one result."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def dependency_results(self, job_id: int) -> dict[int, Any]:
        self.asked.append(job_id)
        return {3: {"sum": 6}}

    def has_type(self, name: str) -> bool:
        return name == "child"

    def prepare_child(self, type: str, payload: Any, **fields: Any) -> NewJob:
        if type != "child":
            raise PermanentError(f"type: no job type is called {type!r}")
        return NewJob(type, str(payload), priority=fields["priority"], tags=tuple(fields["tags"]))


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries()
