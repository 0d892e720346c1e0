"""GET /timeline: what happened, in words."""

from typing import Any

import pytest

from orpheus.shared.domain.events import Kind


def timeline(api: Any, **query: Any) -> Any:
    answer = api.client.get("/timeline", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_events_and_actions_are_told_in_words_with_links(api: Any) -> None:
    record, note = api.store.events.record, api.store.timeline.note
    record(Kind.SUPERVISOR_STARTED, {"slot": "supervisor", "pid": 1})
    record(Kind.WORKER_EXITED, {"slot": "default-1", "host": "ada", "reason": "killed by SIGSEGV"})
    record(Kind.CONFIG_REJECTED, {"reason": "api.port: too large"})
    record(Kind.SCHEDULE_FIRED, {"name": "nightly", "job_id": 7})
    record(Kind.TYPE_QUARANTINED, {"name": "parse_pdf"})
    note("schedule.missed", {"name": "nightly"})
    note("alert.fired", {"name": "late", "text": "late: queue mail is late", "job_id": 9})
    told = {item["kind"]: item for item in timeline(api)["items"]}
    assert {kind: (item["subject"], item["text"], item["link"]) for kind, item in told.items()} == {
        "supervisor.started": ("supervisor", "supervisor started", "/"),
        "worker.exited": ("default-1", "default-1 exited: killed by SIGSEGV", "/"),
        "config.rejected": (
            "configuration",
            "the configuration was rejected: api.port: too large",
            "/ui/configuration",
        ),
        "schedule.fired": ("nightly", "schedule nightly submitted a job", "/ui/jobs/7"),
        "type.quarantined": ("parse_pdf", "type parse_pdf is quarantined", "/ui/types"),
        "schedule.missed": ("nightly", "schedule nightly was missed", "/ui/schedules"),
        "alert.fired": ("late", "late: queue mail is late", "/ui/jobs/9"),
    }
    job_id = api.submit()
    api.client.post(f"/jobs/{job_id}/cancel", json={"reason": "a mistake"})
    api.client.post("/queues/mail/pause", json={})
    pause, cancel = timeline(api, kind="operator")["items"]
    assert (cancel["subject"], cancel["by"]) == (f"job {job_id}", "api:127.0.0.1")
    assert cancel["text"].startswith(f"cancel job {job_id}")
    assert cancel["text"].endswith(": a mistake")
    assert cancel["link"] == f"/ui/jobs/{job_id}"
    assert (pause["kind"], pause["link"]) == ("operator.pause", "/ui/queues#queue-mail")
    assert pause["text"] == "pause queue mail (open → paused)"


def test_pages_continue_and_filters_apply(api: Any) -> None:
    for number in range(7):
        api.store.events.record(Kind.WORKER_EXITED, {"slot": f"default-{number}"})
    api.store.events.record(Kind.WORKER_READY, {"slot": "default-1"})
    seen, cursor = [], ""
    while cursor is not None:
        page = timeline(api, kind="worker.exited,alert", limit=3, cursor=cursor)
        seen += [item["subject"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"default-{number}" for number in range(6, -1, -1)]
    assert len(timeline(api, q="default-1")["items"]) == 2
    assert timeline(api, until="1h")["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "bm8"},
        {"limit": 501},
        {"kind": "worker.*"},
        {"since": "1h", "until": "2h"},
        {"since": "14:02"},
        {"q": ""},
        {"days": 1},
    ],
)
def test_what_it_does_not_know_is_refused(api: Any, query: dict[str, Any]) -> None:
    expected = 200 if query == {"q": ""} else 422  # a field that a form left empty
    assert api.client.get("/timeline", params=query).status_code == expected
