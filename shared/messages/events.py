"""Events as they are sent, from what is stored."""

from typing import Any

import msgspec

from orpheus.shared.domain import events
from orpheus.shared.messages.encoding import optional_time, time_of
from orpheus.shared.storage import read_back


def event_of(event: events.Event) -> dict[str, Any]:
    """Return an event; its body stands under the first word of its kind (`job`, `config`, …).

    It is not decoded further, because a thousand events a second are sent. Raises DatabaseUnusable
    if the body is damaged.
    """
    subject = event.kind.partition(".")[0]
    return {
        "seq": event.seq,
        "at": time_of(event.at_ms),
        "kind": event.kind,
        subject: read_back(_body_of, event.body),
    }


def _body_of(text: str) -> dict[str, Any]:
    """Return a body with the API's names in place of the stored `created_at_ms`, `timeout_s`."""
    body = msgspec.json.decode(text, type=dict[str, Any])
    for name in [name for name in body if name.endswith(("_at_ms", "tick_ms"))]:
        body[name.removesuffix("_ms")] = optional_time(body.pop(name))
    if "timeout_s" in body:
        body["timeout"] = body.pop("timeout_s")
    return body
