"""The database queries of running jobs: results of other jobs, and checks of new ones.

They use a connection of their own, opened at the first query. A soft timeout may interrupt a
handler at any step, and must not interrupt the connection that reports results. The lock is for
handlers that query from several threads; no thread of the worker itself takes it.
"""

import json
import threading

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import Dependency, NewJob
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.storage import Store, open_storage
from orpheus.worker.attempt.outcomes import payload_text


class DatabaseQueries:
    """The JobQueries of worker/attempt/context.py."""

    def __init__(self, settings: WorkerHandover) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open_store: Store | None = None

    def dependencies(self, job_id: int) -> list[Dependency]:
        """See JobQueries."""
        with self._lock:
            return self._store().jobs.dependencies(job_id)

    def has_type(self, name: str) -> bool:
        """See JobQueries."""
        with self._lock:
            return self._store().types.get(name) is not None

    def prepare_child(self, request: JobRequest) -> NewJob:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import prepare_child  # noqa: PLC0415 - 4 MB, for few jobs

        payload = json.loads(payload_text(request.payload))
        with self._lock:
            types = {row.name: row for row in self._store().types.all()}
        return prepare_child(types, self._settings.defaults, request, payload)

    def trouble(self) -> list[str]:
        """See JobQueries."""
        from orpheus.shared.views.verdict import trouble  # noqa: PLC0415 - for few jobs

        with self._lock:
            return trouble(self._store(), self._settings.beat_timeout_s)

    def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._open_store is not None:
            self._open_store.close()

    def _store(self) -> Store:
        if self._open_store is None:
            self._open_store = open_storage(self._settings.storage)
        return self._open_store
