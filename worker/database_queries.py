"""The database queries of running jobs: results of other jobs, and checks of new ones.

They use a connection of their own, opened at the first query. A soft timeout may interrupt a
handler at any step, and must not interrupt the connection that reports results. Handlers may query
from several threads, one at a time; no thread of the worker itself does.
"""

import json
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import Dependency, Lease, NewJob
from orpheus.shared.domain.steps import KeptSteps, NewStep
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.process.one_at_a_time import OneAtATime
from orpheus.shared.storage import Store, open_storage
from orpheus.worker.attempt.context import JobQueries
from orpheus.worker.attempt.outcomes import payload_text

_T = TypeVar("_T")
_Answer = tuple[Any, BaseException | None]


class DatabaseQueries:
    """The JobQueries of worker/attempt/context.py."""

    def __init__(
        self,
        settings: WorkerHandover,
        loaded: dict[str, str],
        open_store: Callable[[], Store] | None = None,
    ) -> None:
        """`loaded`: the version of each type in the code of this worker; it is corrected here."""
        self._settings = settings
        self._opener = open_store or (lambda: open_storage(settings.storage))
        self._loaded = loaded
        self._calls = OneAtATime("context")
        self._open_store: Store | None = None

    def dependencies(self, job_id: int) -> list[Dependency]:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().jobs.dependencies(job_id))

    def other_readers(self, lease: Lease, job_type: JobType | None) -> str | None:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import validate_payload  # noqa: PLC0415 - 4 MB, for few jobs

        row = self._calls.run(lambda: self._store().types.get(lease.type))
        # The files may have changed between their description and the start of this worker.
        if job_type is None:
            self._loaded.pop(lease.type, None)
        else:
            self._loaded[lease.type] = type_row(job_type.describe()).version
        payload = json.loads(lease.payload)
        found = {
            version.version
            for version in (() if row is None else (row, *row.others))
            if version.version != self._loaded.get(lease.type)
            and not validate_payload(version, payload)
        }
        if lease.versions is not None:  # the others could not read it either
            found &= set(lease.versions.split())
        return " ".join(sorted(found)) or None

    def prepare_child(self, request: JobRequest) -> NewJob:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import prepare_child  # noqa: PLC0415 - 4 MB, for few jobs

        payload = json.loads(payload_text(request.payload))
        rows = self._calls.run(lambda: list(self._store().types.all()))
        types = {row.name: row for row in rows}
        return prepare_child(types, self._settings.defaults, request, payload)

    def kept_steps(self, job_id: int) -> KeptSteps:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().steps.kept(job_id))

    def step_result(self, job_id: int, name: str) -> str:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().steps.result(job_id, name))

    def keep_step(self, lease: Lease, step: NewStep, forget: tuple[str, str] | None) -> bool:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().steps.keep(lease, step, forget))

    def signal_payload(self, name: str, key: str) -> str | None:
        """See JobQueries."""
        signal = self._calls.run(lambda: self._store().signals.find(name, key))
        return None if signal is None else signal.payload

    def gathered(self, job_ids: Sequence[int]) -> list[Dependency]:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().steps.children(job_ids))

    def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._open_store is not None:
            self._open_store.close()

    def _store(self) -> Store:
        if self._open_store is None:
            self._open_store = self._opener()
        return self._open_store


class QueriesThread:
    """JobQueries: one thread, which the first query starts, runs the queries of all jobs.

    What stops a job, a signal or an exception, may be raised at any step, even inside a query.
    There it could leave the connection or its lock in a state that makes every other job wait for
    ever. So the thread of a job only waits for the answer.
    """

    def __init__(self, queries: JobQueries) -> None:
        self._queries = queries
        self._asked: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[_Answer]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def dependencies(self, job_id: int) -> list[Dependency]:
        """See JobQueries."""
        return self._ask(lambda: self._queries.dependencies(job_id))

    def other_readers(self, lease: Lease, job_type: JobType | None) -> str | None:
        """See JobQueries."""
        return self._ask(lambda: self._queries.other_readers(lease, job_type))

    def prepare_child(self, request: JobRequest) -> NewJob:
        """See JobQueries."""
        return self._ask(lambda: self._queries.prepare_child(request))

    def kept_steps(self, job_id: int) -> KeptSteps:
        """See JobQueries."""
        return self._ask(lambda: self._queries.kept_steps(job_id))

    def step_result(self, job_id: int, name: str) -> str:
        """See JobQueries."""
        return self._ask(lambda: self._queries.step_result(job_id, name))

    def keep_step(self, lease: Lease, step: NewStep, forget: tuple[str, str] | None) -> bool:
        """See JobQueries."""
        return self._ask(lambda: self._queries.keep_step(lease, step, forget))

    def signal_payload(self, name: str, key: str) -> str | None:
        """See JobQueries."""
        return self._ask(lambda: self._queries.signal_payload(name, key))

    def gathered(self, job_ids: Sequence[int]) -> list[Dependency]:
        """See JobQueries."""
        return self._ask(lambda: self._queries.gathered(job_ids))

    def _ask(self, query: Callable[[], _T]) -> _T:
        answers: SimpleQueue[_Answer] = SimpleQueue()
        if self._thread is None:  # two threads would do no harm: calls are made one at a time
            self._thread = threading.Thread(target=self._run, name="job-queries", daemon=True)
            start_without_signals(self._thread)
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
