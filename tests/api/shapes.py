"""Holds an answer against its declaration: every field, no other, times as RFC 3339, problems."""

import json
import re
from typing import Any

import msgspec

from orpheus.shared.messages.encoding import encode

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}){1,2}Z")
_WHOLE = re.compile(r"\.0+Z")
"""A decoded time does not know that it was encoded with a fraction of 0."""
_TIMES = ("at", "tick", "last_run", "next_runs")


def checked(declared: Any, text: str) -> Any:
    """Return the answer as `declared`, which must have the same fields."""
    value, plain = msgspec.json.decode(text, type=declared), json.loads(text)
    check_times(plain)
    assert json.loads(_WHOLE.sub("Z", encode(value).decode())) == json.loads(_WHOLE.sub("Z", text))
    return value


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem details that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"] and body["detail"] and body["type"]
    assert "Traceback" not in answer.text
    return body


def check_times(value: Any, name: str = "") -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            check_times(item, key)
    elif isinstance(value, list):
        for item in value:
            check_times(item, name)
    elif (name in _TIMES or name.endswith("_at")) and value is not None:
        assert _TIME.fullmatch(value), (name, value)
