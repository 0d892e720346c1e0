"""The timeline: what happened to the system, which stays when its events have been deleted.

Each event that is not about a job is noted in its transaction. Operators' actions are read from the
audit log, which also has who paused and resumed queues.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orpheus.shared.domain.events import Kind
from orpheus.shared.storage.data import AuditRow
from orpheus.shared.storage.database import Database, Value
from orpheus.shared.storage.verbs.conditions import Condition, all_of, containing

OPERATOR = "operator"
"""The first word of the kind of an operator's action, as in `operator.pause`."""
_DAY_MS = 86_400_000
_KEPT_MS = 90 * _DAY_MS
_ROUTINE_KEPT_MS = 2 * _DAY_MS
_ROUTINE = frozenset({Kind.SCHEDULE_FIRED, Kind.WORKER_STARTED, Kind.WORKER_READY})
"""What happens all day while everything is well."""
_IN_AUDIT = frozenset({Kind.QUEUE_PAUSED, Kind.QUEUE_RESUMED})
_MOST_CHARS = 500
"""Of one text, such as the evidence of a crash."""


class Position(NamedTuple):
    """Where a page begins: behind this row. `is_event`: else it is an entry of the audit log."""

    at_ms: int
    is_event: int
    id: int


class Happened(NamedTuple):
    """Something that happened: an event with its body, or the entry of the audit log."""

    position: Position
    kind: str
    body: Mapping[str, Any]
    entry: AuditRow | None = None


class Timeline:
    """Notes what happens, and finds it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("timeline.sql")

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """Note something, in the transaction in which it happens."""
        if kind in _IN_AUDIT:
            return
        now_ms = self._database.clock.wall_ms()
        short = {
            name: value[:_MOST_CHARS] if isinstance(value, str) else value
            for name, value in body.items()
        }
        text = json.dumps(short, ensure_ascii=False).encode(errors="replace").decode()
        until_ms = now_ms + (_ROUTINE_KEPT_MS if kind in _ROUTINE else _KEPT_MS)
        self._database.run(self._sql["note"], now_ms, kind, text, until_ms)

    def find(
        self,
        limit: int,
        *,
        before: Position | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        q: str | None = None,
        kinds: Sequence[str] = (),
    ) -> list[Happened]:
        """Return what happened in a span of time, newest first.

        `q`: a text that is in it. `kinds`: whole kinds, or their first words; none: all.
        """
        span = []
        if since_ms is not None:
            span.append(Condition("at_ms >= ?", (since_ms,)))
        if until_ms is not None:
            span.append(Condition("at_ms < ?", (until_ms,)))
        texts = () if q is None else (containing(q),)
        actions = [kind for kind in kinds if kind.partition(".")[0] == OPERATOR]
        others = [kind for kind in kinds if kind not in actions]
        found: list[Happened] = []
        if others or not kinds:
            wanted = [*span, *_behind(before, is_event=1), *_any_kind(others)]
            wanted += [Condition(self._sql["text-in-happened"], texts * 2)] if texts else []
            for at_ms, row_id, kind, body in self._read("happened", wanted, limit):
                found.append(Happened(Position(at_ms, 1, row_id), kind, json.loads(body)))
        if actions or not kinds:
            wanted = [*span, *_behind(before, is_event=0)]
            if actions and OPERATOR not in actions:
                names = [kind.removeprefix(f"{OPERATOR}.") for kind in actions]
                wanted.append(Condition(f"action IN ({', '.join('?' * len(names))})", (*names,)))
            wanted += [Condition(self._sql["text-in-did"], texts * 4)] if texts else []
            for entry in (AuditRow(*row) for row in self._read("operators-did", wanted, limit)):
                position = Position(entry.at_ms, 0, entry.id)
                found.append(Happened(position, f"{OPERATOR}.{entry.action}", {}, entry))
        return sorted(found, key=lambda row: row.position, reverse=True)[:limit]

    def _read(self, query: str, wanted: Sequence[Condition], limit: int) -> list[tuple[Any, ...]]:
        where = all_of(*wanted)
        sql = f"{self._sql[query]}{where.sql} ORDER BY at_ms DESC, id DESC LIMIT ?"
        return self._database.all(sql, *where.values, limit)


def _behind(before: Position | None, *, is_event: int) -> list[Condition]:
    """Return the condition of rows of a table that come after a position, newest first."""
    if before is None:
        return []
    if before.is_event == is_event:
        values: tuple[Value, ...] = (before.at_ms, before.id)
        return [Condition("(at_ms, id) < (?, ?)", values)]
    sign = "<=" if is_event < before.is_event else "<"
    return [Condition(f"at_ms {sign} ?", (before.at_ms,))]


def _any_kind(kinds: Sequence[str]) -> list[Condition]:
    if not kinds:
        return []
    each = " OR ".join(["kind = ?" if "." in kind else "kind LIKE ?" for kind in kinds])
    values = tuple(kind if "." in kind else f"{kind}.%" for kind in kinds)
    return [Condition(f"({each})", values)]
