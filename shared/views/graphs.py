"""The graph around a job as GET /jobs/{id}/graph shows it."""

from typing_extensions import TypedDict

from orpheus.shared.domain.graph import Graph
from orpheus.shared.domain.jobs import Status
from orpheus.shared.views.values import AttemptNumber


class GraphNode(TypedDict):
    """A job of a graph, as it is now."""

    id: int
    type: str
    status: Status
    attempt: AttemptNumber
    progress: float | None


class GraphEdge(TypedDict):
    """One job waits for another. Both are nodes of the graph."""

    job: int
    depends_on: int


class JobGraph(TypedDict):
    """A job, the jobs that it waits for and those that wait for it, directly or through others."""

    nodes: list[GraphNode]
    """By id. Jobs that were deleted are left out."""
    edges: list[GraphEdge]
    complete: bool
    """false: there are more than 200. The nearest are shown, of both directions."""


def graph_json(graph: Graph) -> JobGraph:
    """Return a graph as nodes and edges."""
    return {
        "nodes": [
            {
                "id": one.id,
                "type": one.type,
                "status": one.status,
                "attempt": one.attempt,
                "progress": one.progress,
            }
            for one in graph.jobs
        ],
        "edges": [{"job": job, "depends_on": other} for job, other in graph.links],
        "complete": graph.is_complete,
    }
