"""GET /stats/history: which steps it gives, and which it refuses."""

import time
from typing import Any

import pytest

from orpheus.shared.moments import rfc3339
from orpheus.shared.storage.past import Figures

NOW_S = int(time.time())
HOUR_S = NOW_S - NOW_S % 3600
"""When this hour began."""
DAY_S = 86_400


def note(api: Any, step_s: int, at_s: int, *found: Figures) -> None:
    """Add figures to the history, as upkeep does."""
    past = api.store.past
    with api.store.write(durable=False):
        past._add(step_s, at_s, {(figures.queue, figures.type): figures for figures in found})


def at(at_s: int) -> str:
    return rfc3339(at_s * 1000)


def history(api: Any, **query: Any) -> Any:
    answer = api.client.get("/stats/history", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_minutes_are_added_up_to_steps_by_queue_or_type(api: Any) -> None:
    begin_s = HOUR_S - 3600
    waits, runs = (15, 8, 2), (20, 10)
    note(api, 60, begin_s + 60, Figures("mail", "send", 10, 7, 1, 1, 2, 5_000, waits, runs))
    note(api, 60, begin_s + 240, Figures("mail", "send", 1, 1), Figures("", "", 5))
    note(api, 60, begin_s + 300, Figures("bulk", "send", 2, 0, 2))
    span = {"since": at(begin_s), "until": at(begin_s + 600), "step": "5m"}
    found = history(api, by="type", **span)
    assert (found["by"], found["step_s"]) == ("type", 300)
    other, send = found["items"]
    assert (other["name"], other["points"][0]["submitted"]) == ("_other", 5)
    first, second = send["points"]
    assert first["wait_p50_s"] < first["wait_p95_s"] < 0.3
    assert 0.6 < first["run_p50_s"] < first["run_p95_s"] <= 1
    assert first["at"].startswith(at(begin_s)[:19])
    counts = ("submitted", "done", "failed", "cancelled", "retried", "worker_s")
    assert [first[name] for name in counts] == [11, 8, 1, 1, 2, 5.0]
    assert [second[name] for name in counts] == [2, 0, 2, 0, 0, 0.0]
    assert second["wait_p50_s"] is None
    assert [item["name"] for item in history(api, by="queue", **span)["items"]] == [
        "_other",
        "bulk",
        "mail",
    ]
    (mail,) = history(api, by="queue", name="mail", **span)["items"]
    assert [point["done"] for point in mail["points"]] == [8]
    assert history(api, by="queue", name="_other", **span)["items"][0]["name"] == "_other"


def test_the_default_is_the_last_hour_by_minute(api: Any) -> None:
    assert history(api)["step_s"] == 60
    note(api, 60, NOW_S - NOW_S % 60 - 1800, Figures("q", "t", 3))
    note(api, 60, NOW_S - NOW_S % 60 - 7200, Figures("q", "t", 5))
    (item,) = history(api)["items"]
    assert [point["submitted"] for point in item["points"]] == [3]


def test_a_long_span_is_read_from_hours(api: Any) -> None:
    note(api, 3600, HOUR_S - 30 * DAY_S, Figures("q", "t", 7))
    note(api, 60, HOUR_S - 60, Figures("q", "t", 1))
    found = history(api, since="40d")
    assert found["step_s"] == 43_200
    assert found["items"][0]["points"][0]["submitted"] == 7
    assert history(api, since="19h")["step_s"] == 600
    assert history(api, since="47h", step="1h")["items"] == []


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        (
            {"since": "2017-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "step": "1m"},
            "/step",
            "makes more than 1,500 points; the nearest step is 7d",
        ),
        ({"since": "26h", "step": "1m"}, "/step", "the nearest step is 2m"),
        ({"since": "3d", "step": "1m"}, "/step", "the nearest step is 1h"),
        ({"since": "3d", "step": "90m"}, "/step", "multiple of 1h: minutes are kept for two days"),
        ({"step": "90s"}, "/step", "must be a multiple of 1m"),
        ({"step": "0"}, "/step", "the nearest step is 1m"),
        ({"since": "1h", "until": "2h"}, "/until", "must be later than since"),
        ({"since": "yesterday"}, "/since", "is neither a time"),
        ({"by": "worker"}, "/by", ""),
        ({"name": "a b"}, "/name", ""),
        ({"steps": "1m"}, "/steps", ""),
    ],
)
def test_what_cannot_be_answered_is_refused_and_says_why(
    api: Any, query: dict[str, str], field: str, words: str
) -> None:
    answer = api.client.get("/stats/history", params=query)
    assert answer.status_code == 422, answer.text
    found = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert any(pointer.startswith(field) for pointer in found), found
    assert any(words in detail for detail in found.values()), found


def test_a_span_that_ends_before_this_year_uses_the_longest_steps(api: Any) -> None:
    assert history(api, since="1970-01-01T00:00:00Z", until="9999-01-01T00:00:00Z")["items"] == []
