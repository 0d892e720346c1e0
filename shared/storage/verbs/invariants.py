"""Finds the invariants that do not hold, by the queries of verify.sql and by circles of jobs."""

from orpheus.shared.domain.dependencies import cycle_in
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage.database import Database

_MOST_PROBLEMS = 10
_MAY_BE_A_CIRCLE = "blocked-by-blocked"


def broken_invariants(database: Database) -> list[str]:
    """Return a sentence for each breach, beginning with its invariant (`I4`); of each at most 10.

    It reads every job, attempt and event. A table that cannot be read is a breach too.
    """
    problems = []
    queries = database.sql("verify.sql")
    for name in sorted(queries, key=lambda name: int(name.partition("-")[0][1:])):
        invariant = name.partition("-")[0].upper()
        try:
            rows = database.all(queries[name], _MOST_PROBLEMS)
            problems += [f"{invariant}: {row[0]}" for row in rows]
        except DatabaseUnusable as error:
            problems.append(f"{invariant}: {error}")
    return problems + _circle(database)


def _circle(database: Database) -> list[str]:
    """Return a sentence about blocked jobs that wait for each other, and so for ever."""
    edges: dict[int, list[int]] = {}
    try:
        for job_id, other in database.all(database.sql("dependencies.sql")[_MAY_BE_A_CIRCLE]):
            edges.setdefault(job_id, []).append(other)
    except DatabaseUnusable as error:
        return [f"I18: {error}"]
    circle = cycle_in(edges)
    names = " → ".join(map(str, circle[:_MOST_PROBLEMS]))
    return [f"I18: jobs wait for each other: {names}"] if circle else []
