"""Jobs that wait for jobs, over HTTP."""

from typing import Any


def test_a_job_waits_for_those_it_depends_on(api: Any) -> None:
    first = api.submit()
    answer = api.client.post("/jobs", json={"type": "add", "depends_on": [first, first]})

    job = answer.json()
    assert (answer.status_code, job["status"], job["depends_on"]) == (201, "blocked", [first])
    api.run_one()
    assert api.client.get(f"/jobs/{job['id']}").json()["status"] == "pending"


def test_what_becomes_of_it_is_as_asked_when_one_fails(api: Any) -> None:
    first = api.submit()
    waiting = {
        policy: api.submit(depends_on=[first], on_dependency_failure=policy)
        for policy in ("cancel", "run", "fail")
    }
    api.client.post(f"/jobs/{first}/cancel")

    assert {
        policy: api.client.get(f"/jobs/{job_id}").json()["status"]
        for policy, job_id in waiting.items()
    } == {"cancel": "cancelled", "run": "pending", "fail": "failed"}


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


def test_ten_thousand_items_that_name_each_other_are_kept(api: Any) -> None:
    jobs = [
        {"type": "add", "ref": f"n{n}", "depends_on": [f"n{n - 1}"] if n else []}
        for n in range(10_000)
    ]
    answer = api.client.post("/jobs/batch", json={"jobs": jobs})

    assert answer.status_code == 201
    ids = answer.json()["ids"]
    assert api.store.jobs.get(ids[-1]).depends_on == (ids[-2],)
    assert api.store.stats.counts()["blocked"] == 9_999
