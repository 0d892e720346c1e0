"""Queues and schedules over HTTP, and their events on the stream."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.schedules import ScheduleDefinition

NIGHTLY = ScheduleDefinition(
    "nightly",
    "strict",
    cron="0 3 * * *",
    timezone="Europe/Vienna",
    payload='{"n":18446744073709551615}',
    queue="reports",
    priority=7,
)


@pytest.fixture
def scheduled(api: Any) -> Any:
    """The application with two schedules."""
    api.store.schedules.configure([NIGHTLY, ScheduleDefinition("often", "add", every_s=90)])
    return api


def queues(api: Any) -> dict[str, dict[str, Any]]:
    return {queue["name"]: queue for queue in api.client.get("/queues").json()["items"]}


def test_a_queue_is_listed_with_its_limits_and_its_jobs(api: Any) -> None:
    api.store.queues.configure(
        {
            "mail": QueueRules(
                max_running=2, rate=Rate(100, 60, 5), per_key=KeyRules(3, Rate(1, 1, 5))
            ),
            "idle": QueueRules(paused=True),
        }
    )
    api.submit(queue="mail")
    api.submit()
    api.run_one()

    found = queues(api)
    assert list(found) == ["default", "idle", "mail"]
    mail = found["mail"]
    assert mail["paused"] is None
    assert mail["limits"] == {
        "max_running": 2,
        "rate": "100/m",
        "burst": 5,
        "max_running_per_key": 3,
        "rate_per_key": "1/s",
    }
    assert sum(mail["counts"].values()) == 1
    assert found["idle"] == {
        "name": "idle",
        "paused": {"by": None, "reason": None, "at": None},
        "counts": dict.fromkeys(mail["counts"], 0),
        "due": 0,
        "oldest_due_s": None,
        "in_per_minute": 0.0,
        "out_per_minute": 0.0,
        "limits": {
            "max_running": 0,
            "rate": "",
            "burst": 1,
            "max_running_per_key": 0,
            "rate_per_key": "",
        },
        "pools": mail["pools"],
        "reason": None,
        "empty_in_s": 0.0,
        "empty_in_s_with": {},
    }


def test_a_queue_tells_why_its_next_job_does_not_start(api: Any) -> None:
    api.submit(queue="mail")
    reason = queues(api)["mail"]["reason"]
    assert reason == {
        "code": "no_worker",
        "text": "Orpheus is not running; start it with `orpheus`",
        "until": None,
        "by": None,
    }
    api.process("default-1")
    assert queues(api)["mail"]["reason"] is None
    api.client.post("/queues/mail/pause")
    assert queues(api)["mail"]["reason"]["code"] == "queue_paused"


def test_a_paused_queue_starts_nothing_until_it_is_resumed(api: Any) -> None:
    job_id = api.submit(queue="mail")
    paused = api.client.post("/queues/mail/pause", json={"reason": "the server is down"})
    assert (paused.status_code, paused.json()["paused"]["reason"]) == (200, "the server is down")
    assert api.lease() == []
    resumed = api.client.post("/queues/mail/resume")
    assert (resumed.status_code, resumed.json()["paused"]) == (200, None)
    assert resumed.json().keys() == queues(api)["mail"].keys()
    assert api.run_one() == job_id
    assert [
        (entry["action"], entry["target"], entry["reason"])
        for entry in api.client.get("/audit").json()["items"]
    ] == [("resume", "queue mail", None), ("pause", "queue mail", "the server is down")]


def test_a_schedule_is_listed_with_its_next_five_runs(scheduled: Any) -> None:
    nightly, often = scheduled.client.get("/schedules").json()["items"]

    assert {**nightly, "next_runs": None} == {
        "name": "nightly",
        "type": "strict",
        "cron": "0 3 * * *",
        "every": None,
        "timezone": "Europe/Vienna",
        "paused": False,
        "last_run": None,
        "last_job": None,
        "next_runs": None,
        "in_words": "At 03:00 every day",
        "queue": "reports",
        "last_result": None,
        "last_runs": [],
        "tag": "schedule-nightly",
        "missed": None,
        "pause": None,
        "payload": {"n": 2**64 - 1},
        "source": "file",
        "priority": 7,
        "catch_up": "one",
        "overlap": "allow",
        "jitter": 0.0,
        "skipped": None,
    }
    assert (often["in_words"], often["queue"]) == ("Every 90 seconds", None)
    assert (often["cron"], often["every"]) == (None, 90.0)
    runs = [datetime.fromisoformat(run) for run in often["next_runs"]]
    assert len(nightly["next_runs"]) == len(runs) == 5
    assert [(later - run).total_seconds() for run, later in pairwise(runs)] == [90.0] * 4


def test_a_schedule_is_run_now(scheduled: Any) -> None:
    answer = scheduled.client.post("/schedules/nightly/run", json={"reason": "to try it"})

    job = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/jobs/{job['id']}")
    assert (job["type"], job["queue"], job["priority"]) == ("strict", "reports", 7)
    assert (job["payload"], job["max_retries"]) == ({"n": 2**64 - 1}, 7)
    nightly, _ = scheduled.client.get("/schedules").json()["items"]
    assert nightly["last_job"] == job["id"]
    assert nightly["last_run"] is not None
    (entry,) = scheduled.client.get("/audit").json()["items"]
    assert (entry["action"], entry["target"], entry["reason"]) == (
        "run",
        "schedule nightly",
        "to try it",
    )


def test_a_schedule_whose_type_is_gone_is_a_422_and_runs_nothing(scheduled: Any) -> None:
    scheduled.store.types.replace([])
    answer = scheduled.client.post("/schedules/nightly/run")

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/type"]
    assert scheduled.client.get("/audit").json()["items"] == []
    assert scheduled.store.events.last_seq() == 0


def test_a_schedule_is_put_and_deleted_but_not_one_of_the_file(scheduled: Any) -> None:
    fields = {"every": "15m", "type": "strict", "payload": {"n": 1}, "overlap": "skip"}
    answers = [scheduled.client.put("/schedules/new", json=fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    schedule = answers[1].json()
    assert (schedule["source"], schedule["every"], schedule["overlap"]) == (
        "program",
        900.0,
        "skip",
    )
    assert len(schedule["next_runs"]) == 5
    for answer in (
        scheduled.client.put("/schedules/often", json=fields),
        scheduled.client.delete("/schedules/often"),
    ):
        assert (answer.status_code, answer.json()["status"]) == (409, 409)
    assert scheduled.client.delete("/schedules/new").status_code == 204
    assert scheduled.client.delete("/schedules/new").status_code == 404
    entries = scheduled.client.get("/audit").json()["items"]
    assert [(entry["action"], entry["target"]) for entry in entries] == [
        ("delete", "schedule new"), ("put", "schedule new"),
    ]  # fmt: skip


def test_a_schedule_that_is_not_valid_is_a_422_that_names_each_field(api: Any) -> None:
    def pointers(fields: dict[str, Any]) -> list[str]:
        answer = api.client.put("/schedules/new", json=fields)
        assert answer.status_code == 422
        return [error["pointer"] for error in answer.json()["errors"]]

    good = {"every": "15m", "type": "strict", "payload": {"n": 1}}
    assert pointers({}) == ["/type"]
    assert pointers({**good, "every": "often", "colour": "red"}) == ["/every", "/colour"]
    assert pointers({**good, "cron": "* * * * *"}) == ["/every"]
    assert pointers({**good, "every": None, "cron": "@daily", "timezone": "x"}) == [
        "/cron", "/timezone",
    ]  # fmt: skip
    assert pointers({**good, "payload": {"n": "x"}}) == ["/payload/n"]
    assert pointers({**good, "type": "nix"}) == ["/type"]
    assert api.client.put("/schedules/*", json=good).json()["errors"][0]["pointer"] == "/name"
    assert api.client.get("/schedules").json()["items"] == []


def test_a_paused_schedule_tells_who_paused_it_why_and_when(scheduled: Any) -> None:
    answer = scheduled.client.post("/schedules/nightly/pause", json={"reason": "holidays"})
    pause = answer.json()["pause"]
    assert (pause["by"], pause["reason"]) == ("api:127.0.0.1", "holidays")
    assert datetime.fromisoformat(pause["at"]).tzinfo is not None
    found = {one["name"]: one for one in scheduled.client.get("/schedules").json()["items"]}
    assert (found["nightly"]["pause"], found["often"]["pause"]) == (pause, None)
    assert scheduled.client.post("/schedules/nightly/resume").json()["pause"] is None


def test_the_stream_tells_of_queues_and_schedules(scheduled: Any) -> None:
    with scheduled.watch() as watcher:
        watcher.next("hello")
        scheduled.client.post("/queues/mail/pause")
        scheduled.client.post("/queues/mail/resume")
        job_id = scheduled.client.post("/schedules/often/run").json()["id"]
        events = {event["kind"]: event for event in watcher.events(4)}

    assert events["queue.paused"]["queue"] == {"name": "mail", "paused": True}
    assert events["queue.resumed"]["queue"] == {"name": "mail", "paused": False}
    fired = events["schedule.fired"]["schedule"]
    assert (fired["name"], fired["job_id"]) == ("often", job_id)
    assert datetime.fromisoformat(fired["tick"]).tzinfo is not None
