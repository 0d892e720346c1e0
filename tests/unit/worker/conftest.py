"""Leases without a database."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.jobs import Lease

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
