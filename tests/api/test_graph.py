"""`GET /jobs/{id}/graph`."""

from typing import Any

from orpheus.shared.messages.jobs import GraphEdge, JobGraph
from tests.api.shapes import checked, problem


def graph(api: Any, job_id: int) -> JobGraph:
    answer = api.client.get(f"/jobs/{job_id}/graph")
    assert answer.status_code == 200
    found: JobGraph = checked(JobGraph, answer.text)
    return found


def test_the_jobs_around_a_job_are_told_with_their_states(api: Any) -> None:
    first = api.submit()
    second = api.submit(depends_on=[first])
    api.run_one()
    found = graph(api, second)
    assert [(one.id, one.status) for one in found.nodes] == [
        (first, "done"),
        (second, "pending"),
    ]
    assert found.edges == [GraphEdge(job=second, depends_on=first)]
    assert found.complete is True


def test_a_graph_is_bounded_and_says_so(api: Any) -> None:
    jobs: list[dict[str, Any]] = [{"type": "add", "ref": "top"}]
    jobs += [{"type": "add", "depends_on": ["top"]} for _ in range(300)]
    top, *rest = api.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]
    found = graph(api, top)
    assert [one.id for one in found.nodes] == [top, *rest[:199]]
    assert found.complete is False
    assert len(graph(api, rest[-1]).nodes) == 2


def test_an_unknown_job_has_no_graph(api: Any) -> None:
    problem(api.client.get("/jobs/7/graph"), 404)
    problem(api.client.get("/jobs/seven/graph"), 404)
