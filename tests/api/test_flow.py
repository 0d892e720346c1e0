"""Jobs that wait for jobs, over HTTP."""

from typing import Any


def test_every_dependency_that_does_not_exist_is_pointed_at_where_it_was_sent(api: Any) -> None:
    first = api.submit()
    answer = api.client.post("/jobs", json={"type": "add", "depends_on": [first, first, 98, 99]})

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/depends_on/2", "/depends_on/3"]
    assert answer.json()["errors"][1]["detail"] == "there is no job 99"
    assert api.client.get("/jobs").json()["total"]["value"] == 1


def test_a_batch_is_a_graph_of_its_items_and_of_jobs(api: Any) -> None:
    before = api.submit()
    jobs = [
        {"type": "add", "ref": "last", "depends_on": ["left", "right"]},
        {"type": "add", "ref": "left", "depends_on": ["top", before]},
        {"type": "add", "ref": "right", "depends_on": ["top"]},
        {"type": "add", "ref": "top"},
    ]
    last, left, right, top = api.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]

    assert api.client.get(f"/jobs/{left}").json()["depends_on"] == [top, before]
    assert [api.run_one() for _ in range(5)] == [before, top, left, right, last]


def test_a_circle_names_the_items_that_make_it(api: Any) -> None:
    jobs = [
        {"type": "add", "ref": "a", "depends_on": ["b"]},
        {"type": "add", "ref": "b", "depends_on": ["a"]},
    ]
    answer = api.client.post("/jobs/batch", json={"jobs": jobs})

    assert answer.status_code == 422
    assert "circle" in answer.json()["detail"]
    assert api.client.get("/jobs").json()["total"]["value"] == 0
