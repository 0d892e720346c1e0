"""The graph around a job: what it waits for, and what waits for it, directly or through others.

Pure. A job may stand between ten thousand others. A picture of them all would be useless, so a
graph is bounded: it has the nearest jobs of both directions, and neither direction can push the
other out.
"""

from collections.abc import Collection, Sequence

import msgspec

from orpheus.shared.domain.jobs import Status

MOST_JOBS = 200
"""How many jobs a graph has at most, with the job that it is about."""


class GraphJob(msgspec.Struct, frozen=True):
    """A job of a graph, as it is now."""

    id: int
    type: str
    status: Status
    attempt: int
    progress: float | None


class Graph(msgspec.Struct, frozen=True):
    """The jobs by id. `links`: (a job, a job that it depends on); both are among `jobs`."""

    jobs: Sequence[GraphJob]
    links: Sequence[tuple[int, int]]
    is_complete: bool
    """No job was left out. Jobs that were deleted are in no graph."""


def without(graph: Graph, hidden: Collection[int]) -> Graph:
    """Return a graph without some of its jobs, and their links."""
    if not hidden:
        return graph
    jobs = [job for job in graph.jobs if job.id not in hidden]
    links = [link for link in graph.links if not {*link} & {*hidden}]
    return Graph(jobs, links, is_complete=False)


def nearest(job_id: int, before: Sequence[int], after: Sequence[int], most: int) -> list[int]:
    """Return `job_id` and the first of both lists, `most` ids together.

    Each list begins with the nearest. Each gets half of the room; what one does not fill of its
    half, the other gets.
    """
    room = most - 1
    taken_before = min(len(before), max(room // 2, room - len(after)))
    taken_after = min(len(after), room - taken_before)
    return list(dict.fromkeys((job_id, *before[:taken_before], *after[:taken_after])))
