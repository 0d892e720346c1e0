"""Jobs that wait for other jobs.

The row of a waiting job counts the dependencies that have not ended (`waits_for`). The row of a
dependency has the flag `has_dependents`, so that the end of any other job costs nothing. Dependents
are changed in the transaction in which their dependency ends.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.storage.sqlite.connection import Database, Row
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.sql import sql_file


class Dependencies:
    """Links jobs, and unblocks, cancels or fails those that wait when a dependency ends."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._sql = sql_file("dependencies.sql")

    def link(self, job_id: int, dependencies: Sequence[int]) -> None:
        """Make a blocked job wait for others; those that have ended are counted at once.

        Raises InvalidJob for one that does not exist.
        """
        ended: list[tuple[int, Status]] = []
        for position, dependency in enumerate(dependencies):
            rows = self._database.run_many(self._sql["mark-dependents"], [(dependency,)])
            if not rows:
                detail = f"there is no job {dependency}"
                raise InvalidJob(detail, [FieldProblem(f"/depends_on/{position}", detail)])
            status = Status(rows[0][0])
            if status in TERMINAL:
                ended.append((dependency, status))
        self._database.run_many(
            self._sql["insert-dependency"], [(job_id, dependency) for dependency in dependencies]
        )
        for dependency, status in ended:
            for waiting in self._database.all(self._sql["waiting-job"], job_id):
                self.ended(self._dependency_ended(waiting, dependency, status))

    def ended(self, jobs: Iterable[tuple[int, Status]]) -> None:
        """Unblock, cancel or fail the jobs that wait for these, which have just ended."""
        queue = deque(jobs)
        while queue:
            job_id, status = queue.popleft()
            for waiting in self._database.all(self._sql["waiting-for"], job_id):
                queue.extend(self._dependency_ended(waiting, job_id, status))

    def live_again(self, job_id: int) -> None:
        """Let the blocked jobs that depend on a retried job wait for it again."""
        self._database.run(self._sql["wait-again"], job_id)

    def still_waits_for(self, job_id: int) -> int:
        """Return how many of the jobs that a job depends on have not ended."""
        row = self._database.one(self._sql["live-dependencies"], job_id)
        return int(row[0]) if row else 0

    def live_dependent(self, job_id: int) -> int | None:
        """Return a live job that waits for this one, None if none does."""
        row = self._database.one(self._sql["live-dependents"], job_id)
        return None if row is None else int(row[0])

    def results(self, job_id: int) -> dict[int, str]:
        """Return the results (JSON text) of the jobs it depends on that are done, by job id."""
        return {row[0]: row[1] for row in self._database.all(self._sql["results"], job_id)}

    def _dependency_ended(
        self, waiting: Row, dependency: int, status: Status
    ) -> list[tuple[int, Status]]:
        """Act on the end of a dependency; return the job itself if it ends and has dependents."""
        job_id, on_failure, queue = waiting
        if status is Status.DONE or on_failure == "run":
            self._one_less(job_id, queue)
        elif self._end_blocked(job_id, queue, on_failure, f"job {dependency} is {status}"):
            return [(job_id, _END_OF[on_failure])]
        return []

    def _one_less(self, job_id: int, queue: str) -> None:
        now_ms = self._database.clock.wall_ms()
        rows = self._database.run_many(self._sql["dependency-done"], [(now_ms, job_id)])
        if rows and rows[0][0] == Status.PENDING:
            self._database.at_commit.count_job(queue, Status.BLOCKED, Status.PENDING)
            self._database.at_commit.ring_workers(queue)
            self._events.record_jobs(Kind.JOB_UNBLOCKED, [job_id])

    def _end_blocked(self, job_id: int, queue: str, on_failure: str, why: str) -> bool:
        """Cancel or fail a job whose dependency failed; return whether others wait for it."""
        status = _END_OF[on_failure]
        now_ms = self._database.clock.wall_ms()
        values = (status.value, now_ms, "DependencyFailed", f"it depended on a job: {why}", job_id)
        rows = self._database.run_many(self._sql["dependency-failed"], [values])
        self._database.at_commit.count_job(queue, Status.BLOCKED, status)
        kind = Kind.JOB_CANCELLED if status is Status.CANCELLED else Kind.JOB_FAILED
        self._events.record_jobs(kind, [job_id])
        return bool(rows and rows[0][0])


_END_OF = {"cancel": Status.CANCELLED, "fail": Status.FAILED}
