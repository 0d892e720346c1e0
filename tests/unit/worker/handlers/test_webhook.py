"""The job type that calls an address."""

import json
from typing import Any

from orpheus.testing import run
from orpheus.worker.handlers import webhook


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
