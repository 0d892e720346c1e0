"""What a running job may ask of the database: results of other jobs, and whether a child may be.

On a connection of its own, opened when a job first asks: a soft timeout may strike in the middle
of any step of a handler, and must not leave the connection that reports results half way. The lock
is for handlers that ask from several threads; none of the worker's own threads takes it.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.registry import PermanentError
from orpheus.shared.storage import Store, open_storage
from orpheus.worker.attempt.outcomes import payload_text


class DatabaseLookup:
    """See the module. The defaults are those of [jobs]."""

    def __init__(self, storage: StorageSettings, defaults: JobDefaults) -> None:
        self._storage = storage
        self._defaults = defaults
        self._lock = threading.Lock()
        self._open_store: Store | None = None

    def results(self, job_id: int) -> dict[int, Any]:
        """The results of the jobs it depends on and that are done, by id."""
        with self._lock:
            texts = self._store().jobs.dependency_results(job_id)
        return {dependency: json.loads(text) for dependency, text in texts.items()}

    def knows_type(self, name: str) -> bool:
        """Whether the job modules, as they were described last, define a type of that name."""
        with self._lock:
            return self._store().types.get(name) is not None

    def child(self, type: str, payload: Mapping[str, Any], **fields: Any) -> NewJob:
        """The job that these make. Raises PermanentError, naming each field that cannot be used."""
        from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - 4 MB, for few jobs

        value = json.loads(payload_text(payload))
        with self._lock:
            types = {row.name: row for row in self._store().types.all()}
        try:
            return prepare_job(types, self._defaults, type=type, payload=value, **fields)
        except InvalidJob as refused:
            raise PermanentError(f"enqueue {type!r}: {refused}") from None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._open_store is not None:
            self._open_store.close()

    def _store(self) -> Store:
        if self._open_store is None:
            self._open_store = open_storage(self._storage)
        return self._open_store
