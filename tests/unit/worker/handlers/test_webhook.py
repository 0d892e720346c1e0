"""The job types that call an address."""

import json
from typing import Any

import pytest

from orpheus.testing import run, single
from orpheus.worker.handlers import ping_if_well, webhook


def test_a_webhook_posts_json(receiver: Any) -> None:
    body = {"text": "ä", "n": [1, None]}
    ran = run(webhook, url=f"{receiver.url}/hook", body=body, headers={"Authorization": "Bearer x"})
    assert ran.result == {"status": 200}
    ((method, path, headers, sent),) = receiver.requests
    assert (method, path, json.loads(sent)) == ("POST", "/hook", body)
    assert headers["idempotency-key"] == "orpheus-1"
    assert (headers["content-type"], headers["authorization"]) == ("application/json", "Bearer x")


def test_a_webhook_that_is_refused_fails_for_good(receiver: Any) -> None:
    receiver.answers = [403]
    ran = run(webhook, url=receiver.url)
    assert ran.is_permanent
    assert ran.error is not None and ran.error.message == f"{receiver.url} answered 403"


def test_all_is_well_calls(receiver: Any) -> None:
    assert run(ping_if_well, url=f"{receiver.url}/x").result == {"called": True, "status": 200}
    assert [one[:2] for one in receiver.requests] == [("GET", "/x")]


def test_trouble_calls_nobody_and_says_why(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single._Queries, "trouble", lambda _: ["no worker is ready"])
    ran = run(ping_if_well, url=receiver.url)
    assert ran.result == {"called": False, "because": ["no worker is ready"]}
    assert [line.fields for line in ran.logs] == [{"because": "no worker is ready"}]
    assert receiver.requests == []
