"""The database queries of jobs that run at once, made by one thread for all of them.

The exception that stops a job in a thread may be raised at any step, even inside a query. There it
could leave the connection or its lock in a state that makes every other job wait for ever. So the
thread of a job only waits for the answer. Nothing is raised in the thread that asks the database.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from orpheus.shared.domain.jobs import Dependency, Lease, NewJob
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.job_types.request import JobRequest
from orpheus.worker.attempt.context import JobQueries

_T = TypeVar("_T")
_Answer = tuple[Any, BaseException | None]


class QueriesThread:
    """JobQueries that any thread may call; one thread of its own runs all queries."""

    def __init__(self, queries: JobQueries) -> None:
        self._queries = queries
        self._asked: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[_Answer]]] = SimpleQueue()
        thread = threading.Thread(target=self._run, name="job-queries", daemon=True)
        start_without_signals(thread)

    def dependencies(self, job_id: int) -> list[Dependency]:
        """See JobQueries."""
        return self._ask(lambda: self._queries.dependencies(job_id))

    def other_readers(self, lease: Lease, job_type: JobType | None) -> str | None:
        """See JobQueries."""
        return self._ask(lambda: self._queries.other_readers(lease, job_type))

    def prepare_child(self, request: JobRequest) -> NewJob:
        """See JobQueries."""
        return self._ask(lambda: self._queries.prepare_child(request))

    def trouble(self) -> list[str]:
        """See JobQueries."""
        return self._ask(self._queries.trouble)

    def _ask(self, query: Callable[[], _T]) -> _T:
        answers: SimpleQueue[_Answer] = SimpleQueue()
        self._asked.put((query, answers))
        value: _T
        value, error = answers.get()
        if error is not None:
            raise error
        return value

    def _run(self) -> None:
        while True:
            query, answers = self._asked.get()
            try:
                answers.put((query(), None))
            except BaseException as error:  # noqa: BLE001 - it is raised where the query was asked
                answers.put((None, error))
            del query, answers
