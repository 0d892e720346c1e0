"""The database queries of running jobs: results of other jobs, and checks of new ones.

They use a connection of their own, opened at the first query. A soft timeout may interrupt a
handler at any step, and must not interrupt the connection that reports results. The lock is for
handlers that query from several threads; no thread of the worker itself takes it.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.registry import PermanentError
from orpheus.shared.storage import Store, open_storage
from orpheus.worker.attempt.outcomes import payload_text


class DatabaseQueries:
    """The JobQueries of worker/attempt/context.py."""

    def __init__(self, settings: WorkerHandover) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open_store: Store | None = None

    def dependency_results(self, job_id: int) -> dict[int, Any]:
        """See JobQueries."""
        with self._lock:
            texts = self._store().jobs.dependency_results(job_id)
        return {dependency: json.loads(text) for dependency, text in texts.items()}

    def has_type(self, name: str) -> bool:
        """See JobQueries."""
        with self._lock:
            return self._store().types.get(name) is not None

    def prepare_child(self, type: str, payload: Mapping[str, Any], **fields: Any) -> NewJob:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - 4 MB, for few jobs

        value = json.loads(payload_text(payload))
        with self._lock:
            types = {row.name: row for row in self._store().types.all()}
        try:
            return prepare_job(types, self._settings.defaults, type=type, payload=value, **fields)
        except InvalidJob as refused:
            raise PermanentError(f"enqueue {type!r}: {refused}") from None

    def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._open_store is not None:
            self._open_store.close()

    def _store(self) -> Store:
        if self._open_store is None:
            self._open_store = open_storage(self._settings.storage)
        return self._open_store
