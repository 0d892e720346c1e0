"""The database queries of running jobs: results of other jobs, and checks of new ones.

They use a connection of their own, opened at the first query. A soft timeout may interrupt a
handler at any step, and must not interrupt the connection that reports results. Handlers may query
from several threads, one at a time; no thread of the worker itself does.
"""

import json
from collections.abc import Mapping

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import Dependency, NewJob
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.process.one_at_a_time import OneAtATime
from orpheus.shared.storage import Store, open_storage
from orpheus.worker.attempt.context import Fit
from orpheus.worker.attempt.outcomes import payload_text


class DatabaseQueries:
    """The JobQueries of worker/attempt/context.py."""

    def __init__(self, settings: WorkerHandover, schemas: Mapping[str, str] | None = None) -> None:
        """`schemas`: those of the described job types, before this process loaded its code.

        None: it has the newest code.
        """
        self._settings = settings
        self._schemas = schemas
        self._calls = OneAtATime("context")
        self._open_store: Store | None = None

    def dependencies(self, job_id: int) -> list[Dependency]:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().jobs.dependencies(job_id))

    def has_type(self, name: str) -> bool:
        """See JobQueries."""
        return self._calls.run(lambda: self._store().types.get(name) is not None)

    def fit(self, job_type: JobType, payload: str) -> Fit:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import validate_payload  # noqa: PLC0415 - 4 MB, for few jobs

        row = self._calls.run(lambda: self._store().types.get(job_type.name))
        if row is None or self._schemas is None:
            return Fit.NO
        is_same = row.schema == type_row(job_type.describe()).schema
        if is_same or validate_payload(row, json.loads(payload)):
            return Fit.NO
        # A process that starts now has the newest code, so a job is released at most once for each
        # change of the description.
        return Fit.YES if row.schema == self._schemas.get(row.name) else Fit.NEWLY

    def prepare_child(self, request: JobRequest) -> NewJob:
        """See JobQueries."""
        from orpheus.shared.job_types.admission import prepare_child  # noqa: PLC0415 - 4 MB, for few jobs

        payload = json.loads(payload_text(request.payload))
        rows = self._calls.run(lambda: list(self._store().types.all()))
        types = {row.name: row for row in rows}
        return prepare_child(types, self._settings.defaults, request, payload)

    def trouble(self) -> list[str]:
        """See JobQueries."""
        from orpheus.shared.views.verdict import trouble  # noqa: PLC0415 - for few jobs

        return self._calls.run(lambda: trouble(self._store(), self._settings.beat_timeout_s))

    def close(self) -> None:
        """Close the connection, if it was opened."""
        if self._open_store is not None:
            self._open_store.close()

    def _store(self) -> Store:
        if self._open_store is None:
            self._open_store = open_storage(self._settings.storage)
        return self._open_store
