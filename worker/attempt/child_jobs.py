"""The jobs that a running attempt submits: their refs, and how many and how large they may be.

They are stored in one transaction, with the attempt's result, so they have the bounds of a batch.
A handler may submit jobs from several threads at once.
"""

from collections.abc import Callable

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.limits import MAX_BATCH_DEPENDENCIES, MAX_BATCH_JOBS
from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.job_types.request import JobRequest

_MOST_PAYLOAD_MIB = 16


class ChildJobs:
    """Adds the jobs of one attempt to `jobs`."""

    def __init__(self, jobs: list[NewJob]) -> None:
        self._jobs = jobs
        self._taken: dict[str, object] = {}
        """Ref -> a mark of the call that took it first; includes jobs that are being checked."""
        self._accepted: set[str] = set()
        self._dependencies = 0
        self._payload_bytes = 0

    def add(
        self,
        request: JobRequest,
        prepare: Callable[[JobRequest], NewJob],
        traceparent: str | None,
    ) -> str:
        """Add a job, once `prepare` has checked it, and return its ref.

        It may depend on jobs that were added before, so there can be no circle. Raises
        PermanentError if it is not accepted; nothing is added then, and its ref stays free.
        """
        if len(self._jobs) >= MAX_BATCH_JOBS:
            raise PermanentError(f"enqueue: one job may submit {MAX_BATCH_JOBS:,} others at most")
        self._refuse_unknown_refs(request)
        ref = self._take_ref(request)
        try:
            job = prepare(request.with_options(ref=ref))
            self._count(job)
        except BaseException:
            self._taken.pop(ref, None)
            raise
        self._jobs.append(job._replace(traceparent=traceparent) if traceparent else job)
        self._accepted.add(ref)
        return ref

    def _refuse_unknown_refs(self, request: JobRequest) -> None:
        for position, dependency in enumerate(request.depends_on):
            if isinstance(dependency, str) and dependency not in self._accepted:
                problem = (
                    f"depends_on/{position}: no job submitted before has the ref {dependency!r}"
                )
                raise PermanentError(f"enqueue {request.type!r}: {problem}")

    def _take_ref(self, request: JobRequest) -> str:
        """Return the ref of a job: its own, or a new one."""
        ref, number = request.ref, len(self._jobs)
        if ref is not None:
            if not self._takes(ref):
                problem = f"ref: another job of this attempt is called {ref!r} already"
                raise PermanentError(f"enqueue {request.type!r}: {problem}")
            return ref
        while not self._takes(made_up := f"child-{number + 1}"):
            number += 1
        return made_up

    def _takes(self, ref: str) -> bool:
        """Take a ref unless it is taken; in one step, as another thread may want it, too."""
        me = object()
        return self._taken.setdefault(ref, me) is me

    def _count(self, job: NewJob) -> None:
        dependencies = self._dependencies + len(job.depends_on)
        payload_bytes = self._payload_bytes + len(job.payload.encode())
        if dependencies > MAX_BATCH_DEPENDENCIES:
            what = f"{MAX_BATCH_DEPENDENCIES:,} dependencies"
            raise PermanentError(f"enqueue: the jobs of one job may have {what} in all")
        if payload_bytes > _MOST_PAYLOAD_MIB * 1024 * 1024:
            what = f"{_MOST_PAYLOAD_MIB} MiB of payloads"
            raise PermanentError(f"enqueue: the jobs of one job may have {what} in all")
        self._dependencies, self._payload_bytes = dependencies, payload_bytes
