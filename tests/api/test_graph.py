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


def test_an_unknown_job_has_no_graph(api: Any) -> None:
    problem(api.client.get("/jobs/7/graph"), 404)
    problem(api.client.get("/jobs/seven/graph"), 404)
