"""Leases and queries without a database."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Dependency, JobError, Lease, NewJob, Status
from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.job_types.request import JobRequest
from orpheus.worker.attempt.alarm import Alarm

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
        return LEASE._replace(**fields)

    return make


class FakeQueries:
    """Knows the type `child`, and one result."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.readers: dict[str, str] = {}
        """By type: the versions that can read what this worker cannot."""

    def dependencies(self, job_id: int) -> list[Dependency]:
        self.asked.append(job_id)
        error = JobError("ValueError", "no such file")
        return [
            Dependency(3, "add", Status.DONE, '{"sum": 6}', ref="first"),
            Dependency(4, "add", Status.FAILED, None, error, ref="second"),
            Dependency(5, "sum", Status.CANCELLED),
        ]

    def other_readers(self, lease: Lease, job_type: JobType | None) -> str | None:
        return self.readers.get(lease.type)

    def prepare_child(self, request: JobRequest) -> NewJob:
        if request.type != "child":
            raise PermanentError(f"type: no job type is called {request.type!r}")
        return NewJob(
            request.type,
            str(request.payload),
            priority=request.priority or 0,
            tags=request.tags,
            depends_on=request.depends_on,
            ref=request.ref,
            concurrency_key=request.concurrency_key,
        )


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries()


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    """The alarm of this process; pytest-timeout has one of its own, which is put back."""
    handler, left = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0)
    yield Alarm()
    signal.setitimer(signal.ITIMER_REAL, 0)  # else one of ours may reach pytest-timeout's handler
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *left)
