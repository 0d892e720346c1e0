"""Reads the graph around a job."""

import json

from orpheus.shared.domain.graph import MOST_JOBS, Graph, nearest
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.jobs import Jobs
from orpheus.shared.storage.verbs.rows import graph_job_of


class Graphs:
    """What jobs wait for, and what waits for them."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs
        self._sql = database.sql("graphs.sql")

    def around(self, job_id: int, most: int = MOST_JOBS) -> Graph:
        """Return a job and the nearest before and after it, `most` together. Raises NotFound."""
        self._jobs.status(job_id)
        before = self._ids("jobs-before", job_id, most)
        after = self._ids("jobs-after", job_id, most)
        chosen = nearest(job_id, before, after, most)
        ids = json.dumps(chosen)
        rows = self._database.all(self._sql["jobs-of-graph"], ids)
        links = self._database.all(self._sql["links-of-graph"], ids, ids)
        return Graph(
            jobs=[graph_job_of(row) for row in rows],
            links=[(row[0], row[1]) for row in links],
            is_complete=len(chosen) == 1 + len({*before, *after}),
        )

    def _ids(self, query: str, job_id: int, most: int) -> list[int]:
        return [row[0] for row in self._database.all(self._sql[query], job_id, most)]
