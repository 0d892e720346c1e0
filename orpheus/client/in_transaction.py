"""What a client can do inside of a transaction that an application has open.

It submits jobs and reads: `get`, `jobs` and `logs` see what the transaction sees. The rest is
refused. A job that is submitted here cannot run before the commit, so a wait for it would never
end. Events get their numbers only after their commit. And a change would lock its job until the
commit, which would hold up the worker that runs it.
"""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from orpheus.client.database import DatabaseCalls
from orpheus.client.steps import Steps
from orpheus.shared.domain.steps import NewSignal
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.jobs import Event, Job
from orpheus.shared.messages.queues import Queue, Why
from orpheus.shared.messages.schedules import Schedule
from orpheus.shared.messages.steps import Signal


class CallsInTransaction(DatabaseCalls):
    """The calls as steps that use the transaction."""

    def submit(self, request: JobRequest) -> Steps[Job]:
        """Store a job in the transaction, unless it may replace one."""
        _refuse_replacing([request])
        return super().submit(request)

    def submit_many(self, requests: Sequence[JobRequest]) -> Steps[list[int]]:
        """Store jobs in the transaction, unless one of them may replace a job."""
        _refuse_replacing(requests)
        return super().submit_many(requests)

    def wait(self, job_id: int, timeout_s: float) -> Steps[Job]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("wait", "no job of an open transaction can end before it commits: call it after")

    def happened(self, job_id: int, after: int, limit: int) -> Steps[list[Event]]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("events", "events are numbered after their commit: call it after")

    def why(self, job_id: int) -> Steps[Why]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("why", _WORKERS)

    def queues(self) -> Steps[list[Queue]]:
        """Refuse: see the module."""
        _refuse("queues", _WORKERS)

    def cancel(self, job_id: int, reason: str | None) -> Steps[Job]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("cancel", _CHANGES)

    def signal(self, new: NewSignal) -> Steps[Signal]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("signal", _WAKES)

    def retry(self, job_id: int, from_step: str | None, reason: str | None) -> Steps[Job]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("retry", _CHANGES)

    def run_now(self, job_id: int, reason: str | None) -> Steps[Job]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("run_now", _CHANGES)

    def delete(self, job_id: int, reason: str | None) -> Steps[None]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("delete", _CHANGES)

    def put_schedule(self, name: str, body: bytes) -> Steps[Schedule]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("schedules.put", _SCHEDULES)

    def delete_schedule(self, name: str, reason: str | None) -> Steps[None]:  # noqa: ARG002
        """Refuse: see the module."""
        _refuse("schedules.delete", _SCHEDULES)


_SCHEDULES = "it would hold up every schedule until your transaction ends: call it before or after"
_WORKERS = "it may look whether a write can begin: call it before or after"
_WAKES = (
    "it would lock the functions that wait for it until your transaction ends, and hold up their "
    "workers: call it after, or write it into an outbox (orpheus.outbox.signal)"
)
_CHANGES = (
    "it would lock the job until your transaction ends, and hold up its worker: call it before or "
    "after. A job that was submitted in the transaction is taken back by a rollback"
)


def _refuse_replacing(requests: Iterable[JobRequest]) -> None:
    if any(request.on_duplicate == "replace" for request in requests):
        _refuse('on_duplicate="replace"', _CHANGES)


def _refuse(method: str, why: str) -> NoReturn:
    raise RuntimeError(
        f"{method}: not with Client(connection=…): {why}, with a Client() of its own"
    )
