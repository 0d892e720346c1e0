"""Draws the page of the event stream from the models of `docs/stream_frames.py`."""

from typing import Any, get_args, get_type_hints

import msgspec

from docs.stream_frames import EVENTS, FRAMES
from orpheus.api.contract.openapi import field_docs
from orpheus.api.http.guard import POLICY_VIOLATION
from orpheus.api.stream.broadcaster import FRAME_GAP_S, HEARTBEAT_S
from orpheus.api.stream.sse import KEEP_ALIVE_S
from orpheus.api.stream.websocket import SERVICE_RESTART, TRY_AGAIN_LATER

HEAD = """# Event stream

`/ws` is a WebSocket that sends JSON frames, each with a `type`. `GET /events` sends the same
events, in the same order, as server-sent events (`curl -N`).

- `/ws` sends a hello, then every event from now on, and a heartbeat every {beat:g} s.
- `/ws?after=N&epoch=E` sends a hello, then every event from seq N + 1 on. If these are no longer
  stored, or the database is of another epoch, it sends a `reset` and a second hello.
- `/ws?job=ID` sends only the events and log lines of this job, beginning with the stored log lines.
  Its hello carries the job. `seq` then has gaps. Log lines come before the event that ends their
  attempt. `log_after=LINE` begins after that line. It can be combined with `after`.
- `GET /events?after=N&epoch=E` sends each event with `EPOCH:SEQ` as `id`, its kind as `event` and
  its body as `data`; `event: reset` as above; and a comment after {quiet:g} s of silence.

A client that reconnects with its last seq and the epoch of its hello misses nothing and gets
nothing twice (an EventSource sends both itself, as `Last-Event-ID`). The epoch changes when a start
finds that a backup was restored (`orpheus.db-history`); each `orpheus db backup` and each database
that `orpheus db move` has filled has its own.

When there are many events, they are collected: at most one frame of events every {gap:g} ms, of
about a megabyte at most. A slow client gets only the newest heartbeat and progress; a client
that is far behind gets a `reset` and a new hello. A client that acknowledges nothing for 20 s,
or answers no ping for 40 s, is disconnected. Ask for `permessage-deflate`: frames then shrink
to about a twentieth.

An unknown or invalid parameter (422), an unknown job (404), a foreign origin (403) and one client
too many (503 with `Retry-After`) are refused before the handshake, with a problem document.

| close code | when | what to do |
| --- | --- | --- |
| {restart} | the API is replaced or stops | reconnect with `after` |
| {later} | the database cannot be read; the reason says why | wait, then reconnect with `after` |
| {policy} | the session has ended | log in again |
| 1009 | the client sent a message over 64 KiB | send nothing |
| 1011 | no answer to a ping | reconnect with `after` |
| 1000, 1001 | sent by clients that leave, such as a browser that leaves the page | |

## Frames of `/ws`

`python docs/draw.py` generates this page from the models of `docs/stream_frames.py`. One test
checks that it is up to date, another that each frame that is sent fits. Edit the models, not this
page.

Workers, job types, counts and log lines are as in `GET /workers` (but without `recent_exits` and
`failed_lately`), `GET /types`, `GET /stats` and `GET /jobs/{{id}}/logs`.
"""


def stream_page() -> str:
    """What comes, frame by frame and event by event."""
    head = HEAD.format(
        beat=HEARTBEAT_S,
        quiet=KEEP_ALIVE_S,
        gap=FRAME_GAP_S * 1000,
        restart=SERVICE_RESTART,
        later=TRY_AGAIN_LATER,
        policy=POLICY_VIOLATION,
    )
    lines = [head]
    for frame in FRAMES:
        tag = frame.__struct_config__.tag
        lines += [f"### `{tag}`", "", _doc(frame), "", *_table(frame), ""]
    lines += ["## Events", "", "| kind | carries | |", "| --- | --- | --- |"]
    for event in EVENTS:
        subject = _subject(event)
        kinds = ", ".join(f"`{kind}`" for kind in kinds_of(event))
        lines.append(f"| {kinds} | `{subject}` | {_doc(event)} |")
    lines += ["", "Each also has `at`, and all but `job.progress` have `seq`. What they carry:", ""]
    for model in dict.fromkeys(_carried(event) for event in EVENTS):
        lines += [f"### {model.__name__}", "", _doc(model), "", *_table(model), ""]
    return "\n".join(lines).rstrip() + "\n"


def _subject(event: Any) -> str:
    (name,) = set(event.__struct_fields__) - {"seq", "at", "kind"}
    return name


def _carried(event: Any) -> Any:
    return get_type_hints(event)[_subject(event)]


def kinds_of(event: Any) -> tuple[str, ...]:
    """Return the kinds of events that a model is about."""
    return get_args(get_type_hints(event)["kind"])


def _doc(model: Any) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(model: Any) -> list[str]:
    _, components = msgspec.json.schema_components([model])
    docs = field_docs(model)
    lines = ["| field | type | |", "| --- | --- | --- |"]
    for name, field in components[model.__name__]["properties"].items():
        if name != "type" or model not in FRAMES:
            text = docs.get(name, field.get("description", ""))
            lines.append(f"| `{name}` | {_type(field)} | {text} |")
    return lines


def _type(field: dict[str, Any]) -> str:
    if "title" in field:
        return str(field["title"])
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "$ref" in field:
        return field["$ref"].rpartition("/")[2]
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        return f"object of {_type(field.get('additionalProperties') or {})}"
    return {"date-time": "time"}.get(field.get("format", ""), field.get("type", "any"))
