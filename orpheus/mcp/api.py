"""Call the API for a tool, and shorten what it answers: an assistant reads every byte of it."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from mcp.server.mcpserver.exceptions import ToolError

from orpheus.client.steps import Failure, Send
from orpheus.client.transport import AwaitedTransport, Server

Row = dict[str, Any]
"""An object of an answer, as JSON has it."""

_MOST_BYTES = 5_000
"""Of the rows of an answer together."""
_LONGEST_TEXT = 500
_LONGEST_TRACE = 1_500
_LONGEST_LIST = 10
_JSON_OF_JOBS = ("payload", "result", "fields")
"""What jobs may make as deep and as large as they like."""
_ENDS = ("traceback", "output")
"""Texts whose ends say most."""


class Conflict(ToolError):
    """The state does not allow it, or the count is no longer what was expected."""


class Api:
    """The HTTP API, called with one token. Whatever it refuses is a ToolError that says why."""

    def __init__(self, server: Server) -> None:
        self._transport = AwaitedTransport(server)

    async def get(self, path: str, **query: Any) -> Any:
        """Return what a GET answers. A query field that is None is left out."""
        return await self._call(Send("GET", path, query=_given(query)))

    async def post(self, path: str, body: Row, *, command: str, **query: Any) -> Any:
        """Return what a POST answers. `command`: what a person who may do it would type."""
        send = Send("POST", path, query=_given(query), body=msgspec.json.encode(_given(body)))
        return await self._call(send, f" For a person who may: {command}")

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _call(self, send: Send, person: str = "") -> Any:
        answer = await self._transport.perform(send)
        if isinstance(answer, Failure):
            done = "; it may have been done: see orpheus audit" if send.body else ""
            raise ToolError(f"{answer.reason}{done if answer.was_sent else ''}")
        try:
            content = msgspec.json.decode(answer.body)
        except ValueError:
            content = None
        if 200 <= answer.status < 300 and isinstance(content, dict):
            return content
        told = content.get("detail") if isinstance(content, dict) else None
        detail = str(told or f"{send.path}: status {answer.status}: does Orpheus answer there?")
        match answer.status:
            case 401:
                raise ToolError(f"{detail} Start orpheus mcp with --token-file or ORPHEUS_TOKEN.")
            case 403:
                raise ToolError(f"This token may not do that: {detail}{person}")
            case 409:
                raise Conflict(detail)
            case _:
                raise ToolError(detail)


def _given(fields: Mapping[str, Any]) -> Row:
    return {name: value for name, value in fields.items() if value is not None}


def command_line(*words: object, **options: object) -> str:
    """Return the command that a person would type. An option that is None is left out."""
    flags = ((f"--{name}", str(value)) for name, value in _given(options).items())
    return shlex.join(["orpheus", *map(str, words), *(part for flag in flags for part in flag)])


def picked(row: Mapping[str, Any], names: str) -> Row:
    """Return some fields of a row, shortened, without those that say nothing."""
    found = {name: row.get(name) for name in names.split()}
    return {name: short(value, name) for name, value in found.items() if not _is_empty(value)}


def short(value: Any, name: str = "") -> Any:
    """Return a value of JSON, the field `name`, with the beginnings of its texts and lists."""
    if name in _JSON_OF_JOBS and not isinstance(value, str):
        value = msgspec.json.encode(value).decode()
    match value:
        case str() if name in _ENDS:
            return value if len(value) <= _LONGEST_TRACE else f"… {value[-_LONGEST_TRACE:]}"
        case str() if len(value) > _LONGEST_TEXT:
            return f"{value[:_LONGEST_TEXT]}… ({len(value) - _LONGEST_TEXT} more characters)"
        case list():
            more = [f"… ({len(value) - _LONGEST_LIST} more)"] if len(value) > _LONGEST_LIST else []
            return [*map(short, value[:_LONGEST_LIST]), *more]
        case dict():
            return {key: short(item, key) for key, item in value.items() if not _is_empty(item)}
        case _:
            return value


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def fitting(rows: Iterable[Any]) -> list[Any]:
    """Return the first rows, as many as an answer may have."""
    kept: list[Any] = []
    size = 0
    for row in rows:
        size += len(msgspec.json.encode(row))
        if kept and size > _MOST_BYTES:
            break
        kept.append(row)
    return kept


def listed(rows: list[Any], more: str) -> Row:
    """Return the first rows as `items`, and what shows the `more` that were left out."""
    kept = fitting(rows)
    left = len(rows) - len(kept)
    return {"items": kept, **({"more": f"{left} more: {more}"} if left else {})}
