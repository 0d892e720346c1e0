"""Lists of jobs: pages, counts and ids of those that match a filter, however many others there are.

A filter may be one that no index answers: a type and a queue that are both common and have no job
in common, or a text. Such a list is read in windows (windows.py): a search of only the newest
10,000 jobs would say that there is nothing where there is something.

Failed jobs are also grouped by their errors.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import asdict, replace

from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.hidden import NOTHING_HIDDEN, Hidden
from orpheus.shared.domain.job_filter import JobFilter, payload_fields, payload_names
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage.data import (
    ErrorGroup,
    JobCursor,
    JobOrder,
    JobPage,
    Total,
)
from orpheus.shared.storage.database import NO_BOUND, Database, Row, Value, text_bytes
from orpheus.shared.storage.queries import SqlFile
from orpheus.shared.storage.verbs.conditions import Condition, all_of, containing
from orpheus.shared.storage.verbs.job_types import HiddenFields
from orpheus.shared.storage.verbs.rows import job_of
from orpheus.shared.storage.verbs.windows import Budget, Window, windows

PAGE_BYTES = 8 * 1_048_576
"""What a client gets of a list at once, but at least one job."""
MOST_COUNTED = 10_000
"""A total that no index knows is counted up to here."""
MASKED_CHARS = 16_384
"""A preview of a job with hidden fields is made of so much; of a longer text nothing is shown."""
_TAGGED = "job_tags.job_id"
_FOUND_BY = {
    "": {"max_id"},
    "by-status": {"max_id", "status"},
    "by-type": {"max_id", "type"},
    "by-queue": {"max_id", "queue"},
    "by-unique-key": {"max_id", "unique_key"},
    "by-id": {"max_id", "ids"},
    "by-tag": {"max_id", "tag"},
    "by-ended": {"has ended", "status", "since_ms", "until_ms"},
    "by-error": {"has ended", "status", "since_ms", "until_ms", "type", "error", "where"},
}
"""Which fields of a filter each index answers."""
_LEADING = {
    "by-status": ("status", "status"),
    "by-type": ("type", "type"),
    "by-queue": ("queue", "queue"),
    "by-tag": ("tag", "job_tags.tag"),
    "by-unique-key": ("unique_key", "unique_key"),
}
"""The field of a filter that is the first column of an index, and this column."""
_FEW_OF = {"type": "few-of-type", "tag": "few-of-tag", "unique_key": "few-of-unique-key"}
_FINISHED_AT = Job.__struct_fields__.index("finished_at_ms")
"""The column of a job's row (`select-jobs`) that says when it ended."""


class _Source(msgspec.Struct, frozen=True):
    """Where a list is read from: an index, what it finds, and what must hold besides."""

    hint: str
    joined: str
    """What follows the hint where the other conditions need it."""
    leading: str
    """The first column of the index, if the list has one value of it; else empty."""
    key: str
    conditions: tuple[Condition, ...]
    others: tuple[Condition, ...]
    order: JobOrder

    def between(self, cursor: JobCursor | None, edge: JobCursor | None) -> list[Condition]:
        """Return the conditions of what comes behind a cursor, up to another."""
        is_up = self.order is JobOrder.OLDEST
        bounds = (cursor, ">" if is_up else "<"), (edge, "<=" if is_up else ">=")
        return [self._compared(at, how) for at, how in bounds if at is not None]

    def _compared(self, cursor: JobCursor, how: str) -> Condition:
        if self.order is JobOrder.ENDED:
            # The time is compared twice: PostgreSQL cannot tell how many rows a pair leaves.
            sql = f"finished_at_ms {how[0]}= ? AND ({self.key}) {how} (?, ?)"
            return Condition(sql, (cursor.ended_ms, *cursor))
        return Condition(f"{self.key} {how} ?", (cursor.id,))

    @property
    def order_by(self) -> str:
        """What follows ORDER BY: all columns of the index, so that no other one fits."""
        how = "ASC" if self.order is JobOrder.OLDEST else "DESC"
        columns = [self.leading] if self.leading else []
        return ", ".join(f"{column} {how}" for column in [*columns, *self.key.split(", ")])


class _Found(msgspec.Struct, frozen=True):
    rows: list[tuple[JobCursor, Row]]
    cursor: JobCursor | None
    looked_at: int | None = None


class JobLists:
    """Reads lists of jobs."""

    def __init__(self, database: Database, hidden: HiddenFields) -> None:
        self._database = database
        self._hidden = hidden
        self._sql = database.sql("jobs.sql")

    def page(
        self,
        wanted: JobFilter,
        limit: int,
        *,
        order: JobOrder = JobOrder.NEWEST,
        cursor: JobCursor | None = None,
        most_bytes: int = NO_BOUND,
        preview_chars: int | None = None,
        budget: Budget | None = None,
    ) -> JobPage:
        """Return up to `limit` jobs that match, from `cursor` on.

        The page ends early where its texts would hold more than `most_bytes`, but not before its
        first job. `preview_chars`: so many characters of the JSON of each payload and result, and
        of a type that hides fields as many as are needed to mask them.
        """
        select = Condition(self._sql["select-jobs"])
        if preview_chars is not None:
            select = self._previews(preview_chars)
        with self._database.planned_for_values():
            each = [
                self._read(select, self._source(part, order), cursor, limit, most_bytes, budget)
                for part in _in_parts(wanted, order)
            ]
        found = each[0] if len(each) == 1 else _merged(each, order)
        found = _up_to(found, limit, most_bytes)
        reached_ms = None if found.looked_at is None else self._time_of(found.cursor)
        jobs = [job_of(row) for _, row in found.rows]
        return JobPage(jobs, found.cursor, found.looked_at, reached_ms)

    def ids(
        self,
        wanted: JobFilter,
        statuses: Iterable[Status],
        *,
        max_id: int,
    ) -> list[int]:
        """Return the ids of matching jobs of these statuses, up to `max_id`, ascending."""
        select, order = Condition(self._sql["select-ids"]), JobOrder.OLDEST
        with self._database.planned_for_values():
            each = [
                self._read(
                    select, self._source(part, order, max_id), None, NO_BOUND, NO_BOUND, None
                )
                for part in _of_statuses(wanted, statuses)
            ]
        return [row[0] for _, row in _merged(each, order).rows]

    def _previews(self, chars: int) -> Condition:
        hidden = self._hidden.rules()
        others = MASKED_CHARS if hidden.everywhere else chars
        lengths = (json.dumps([*hidden.of_types]), MASKED_CHARS, others)
        return Condition(self._sql["select-previews"], lengths * 2)

    def _time_of(self, cursor: JobCursor | None) -> int | None:
        if cursor is None or cursor.ended_ms:
            return cursor and cursor.ended_ms
        row = self._database.one(self._database.sql("counts.sql")["first-job-from"], cursor.id)
        return None if row is None else int(row[1])

    def newest_id(self) -> int:
        """Return the id of the newest job; 0: there is none."""
        return int(self._database.value(self._sql["newest-id"]) or 0)

    def total(
        self,
        wanted: JobFilter,
        budget: Budget | None = None,
        *,
        order: JobOrder = JobOrder.NEWEST,
    ) -> Total:
        """Return how many jobs a list has: exact from kept counts, else counted up to 10,000."""
        scope = wanted.scope if wanted.scope is None or wanted.scope.has_every_type else None
        if wanted == JobFilter(wanted.status, queue=wanted.queue, scope=scope):
            kept = sum(self._kept_total(part) for part in _in_parts(wanted, order))
            return Total(kept, exact=True)
        if wanted == JobFilter(tag=wanted.tag) and order is not JobOrder.ENDED:
            value = self._few("tag", wanted.tag)
            return Total(value, exact=value < MOST_COUNTED)
        with self._database.planned_for_values():
            return self._counted_total(wanted, budget, order)

    def _counted_total(self, wanted: JobFilter, budget: Budget | None, order: JobOrder) -> Total:
        value, exact = 0, True
        if wanted.since_ms is not None or wanted.until_ms is not None:
            order = JobOrder.ENDED  # the same jobs: its index knows the times
        for part in _in_parts(wanted, order):
            source = self._source(part, order)
            for window in self._windows(source, None, budget):
                value += self._counted(source, window, MOST_COUNTED - value)
                if value >= MOST_COUNTED:
                    return Total(MOST_COUNTED, exact=False)
            exact = exact and window.edge is None
        return Total(value, exact=exact)

    # Reading in windows

    def _read(
        self,
        select: Condition,
        source: _Source,
        cursor: JobCursor | None,
        limit: int,
        most_bytes: int,
        budget: Budget | None,
    ) -> _Found:
        found: list[tuple[JobCursor, Row]] = []
        left = most_bytes
        for window in self._windows(source, cursor, budget):
            where = self._where(source, window)
            jobs = f"{select.sql} {source.hint}{source.joined}{where.sql}"
            sql = f"{jobs} ORDER BY {source.order_by} LIMIT ?"
            values = (*select.values, *where.values, min(limit - len(found) + 1, NO_BOUND))
            rows, is_cut = self._database.within(left, sql, *values)
            found += [(_cursor_of(row, source.order), row) for row in rows]
            if is_cut or len(found) > limit:
                return _Found(found, found[-1][0])
            left -= sum(map(text_bytes, rows))
            if left < 0:
                break
        return _Found(found, window.edge, None if window.edge is None else window.looked_at)

    def _windows(
        self, source: _Source, cursor: JobCursor | None, budget: Budget | None
    ) -> Iterator[Window[JobCursor]]:
        """Yield parts of what the index finds, one after the other, as long as the time allows."""

        def edge_of(after: JobCursor | None, size: int) -> JobCursor | None:
            return self._edge(source, after, size) if source.others else None

        return windows(cursor, edge_of, budget)

    def _edge(self, source: _Source, cursor: JobCursor | None, size: int) -> JobCursor | None:
        """Return the cursor of the last of so many jobs; None: there are not more than those."""
        is_ended = source.order is JobOrder.ENDED
        select = self._sql["select-cursors" if is_ended else "select-ids"]
        where = all_of(*source.conditions, *source.between(cursor, None))
        joined = source.joined if source.key == _TAGGED else ""  # else no condition here needs it
        sql = (
            f"{select} {source.hint}{joined}{where.sql} ORDER BY {source.order_by} LIMIT 1 OFFSET ?"
        )
        row = self._database.one(sql, *where.values, size - 1)
        if row is None:
            return None
        return JobCursor(*row) if is_ended else JobCursor(0, row[0])

    def _where(self, source: _Source, window: Window[JobCursor]) -> Condition:
        bounds = source.between(window.after, window.edge)
        return all_of(*source.conditions, *source.others, *bounds)

    def _counted(self, source: _Source, window: Window[JobCursor], most: int) -> int:
        where = self._where(source, window)
        ids = f"{self._sql['select-ids']} {source.hint}{source.joined}{where.sql} LIMIT ?"
        counted = f"SELECT count(*) FROM ({ids}) AS found"  # noqa: S608 - made of our own constants
        return int(self._database.value(counted, *where.values, most) or 0)

    # Which index

    def _source(self, wanted: JobFilter, order: JobOrder, max_id: int | None = None) -> _Source:
        """Return the index that delimits the list best, with what it finds."""
        is_of_payload = wanted.q is not None or wanted.payload is not None
        hidden = self._hidden.rules() if is_of_payload else NOTHING_HIDDEN
        conditions = conditions_of(wanted, self._sql, hidden)
        name, key = (
            self._ended_source(wanted) if order is JobOrder.ENDED else self._source_of(wanted)
        )
        if max_id is not None:
            conditions["max_id"] = Condition(f"{key} <= ?", (max_id,))
        if order is JobOrder.ENDED:
            conditions["has ended"] = Condition("finished_at_ms IS NOT NULL")
        leading, column = _LEADING.get(name, ("", ""))
        if leading:
            equals = f"{column} {self._sql['equals-in-order']}"
            conditions[leading] = Condition(equals, (getattr(wanted, leading),))
        found = [condition for field, condition in conditions.items() if field in _FOUND_BY[name]]
        others = [
            condition for field, condition in conditions.items() if field not in _FOUND_BY[name]
        ]
        hint = f"\n{self._sql[name]}\n" if name else ""
        joined = f"\n{self._sql['with-tags']}\n" if wanted.tag is not None else ""
        return _Source(hint, joined, column, key, tuple(found), tuple(others), order)

    def _ended_source(self, wanted: JobFilter) -> tuple[str, str]:
        is_group = wanted.status is Status.FAILED and None not in (wanted.type, wanted.error)
        name = "by-error" if is_group and wanted.where is not None else "by-ended"
        return name, "finished_at_ms, jobs.id"

    def _source_of(self, wanted: JobFilter) -> tuple[str, str]:
        """Return the index of what the fewest jobs have, and the column of its order."""
        if wanted.ids is not None:
            return "by-id", "jobs.id"
        fields = ("status", "type", "queue", "tag", "unique_key")
        given = [name for name in fields if getattr(wanted, name) is not None]
        if not given:
            return "", "jobs.id"
        rarest = given[0] if len(given) == 1 else self._rarest(wanted, given)
        # In the order of the tag's index: by jobs.id, SQLite would sort every whole job of the tag.
        return f"by-{rarest.replace('_', '-')}", _TAGGED if rarest == "tag" else "jobs.id"

    def _rarest(self, wanted: JobFilter, given: Sequence[str]) -> str:
        """Return which of the fields has the fewest jobs, which SQLite does not know."""
        half = self._kept_total(JobFilter()) // 2
        numbers: dict[str, int] = {}
        for name in given:
            if name == "status":
                numbers[name] = self._kept_total(JobFilter(wanted.status))
            elif name == "queue":
                numbers[name] = self._kept_total(JobFilter(queue=wanted.queue))
            else:
                n = self._few(name, getattr(wanted, name))
                numbers[name] = n if n < MOST_COUNTED else max(n, half)
        return min(numbers, key=lambda name: numbers[name])

    def _few(self, field: str, value: str | None) -> int:
        """Return how many jobs have a type or a tag, counted up to 10,000."""
        return int(self._database.value(self._sql[_FEW_OF[field]], value, MOST_COUNTED) or 0)

    def _kept_total(self, wanted: JobFilter) -> int:
        return sum(
            n
            for queue, status, n in self._database.all(self._database.sql("counts.sql")["counts"])
            if wanted.queue in (None, queue)
            and wanted.status in (None, status)
            and (wanted.scope is None or wanted.scope.sees_queue(queue))
        )


def _of_statuses(wanted: JobFilter, statuses: Iterable[Status]) -> list[JobFilter]:
    """Return the filter for each of the statuses that it lets through."""
    return [
        replace(wanted, status=status)
        for status in sorted(statuses)
        if wanted.status in (None, status)
    ]


def _in_parts(wanted: JobFilter, order: JobOrder) -> list[JobFilter]:
    """Return filters that together match what a list shows; one index answers each of them."""
    return _of_statuses(wanted, TERMINAL) if order is JobOrder.ENDED else [wanted]


def _merged(each: Sequence[_Found], order: JobOrder) -> _Found:
    """Return the first of all, as far as every list has been read."""
    is_down = order is not JobOrder.OLDEST
    rows = sorted((item for found in each for item in found.rows), key=_first, reverse=is_down)
    cursors = [found.cursor for found in each if found.cursor is not None]
    looked_at = [found.looked_at for found in each if found.looked_at is not None]
    end = (max(cursors) if is_down else min(cursors)) if cursors else None
    if end is not None:
        rows = [row for row in rows if (row[0] >= end if is_down else row[0] <= end)]
    return _Found(rows, end, sum(looked_at) if looked_at else None)


def _up_to(found: _Found, limit: int, most_bytes: int) -> _Found:
    """Return what a page has room for. A full page does not say how far it looked."""
    rows: list[tuple[JobCursor, Row]] = []
    left = most_bytes
    for row in found.rows[:limit]:
        left -= text_bytes(row[1])
        if rows and left < 0:
            break
        rows.append(row)
    if len(rows) < len(found.rows):
        return _Found(rows, rows[-1][0])
    is_full = len(rows) == limit or left < 0
    return replace(found, looked_at=None) if is_full else found


def _first(row: tuple[JobCursor, Row]) -> JobCursor:
    return row[0]


def _cursor_of(row: Row, order: JobOrder) -> JobCursor:
    return JobCursor(row[_FINISHED_AT], row[0]) if order is JobOrder.ENDED else JobCursor(0, row[0])


_COMPARED = {
    "type": "type = ?",
    "queue": "queue = ?",
    "tag": "job_tags.tag = ?",
    "unique_key": "unique_key = ?",
    "error": "error_type = ?",
    "where": "error_where = ?",
    "since_ms": "finished_at_ms >= ?",
    "until_ms": "finished_at_ms < ?",
}
"""By field of the filter."""


def conditions_of(wanted: JobFilter, sql: SqlFile, hidden: Hidden) -> dict[str, Condition]:
    """Return the condition of each field that is given, by its name; each must hold.

    No job is found by a field of its payload that is hidden.
    """
    conditions: dict[str, Condition] = {}
    if wanted.status is not None:
        # Not as a value: PostgreSQL has one plan for all values, and some statuses are rare.
        conditions["status"] = Condition(f"status = '{Status(wanted.status)}'")
    for name, comparison in _COMPARED.items():
        value: Value = getattr(wanted, name)
        if value is not None:
            conditions[name] = Condition(comparison, (value,))
    if wanted.ids is not None:
        conditions["ids"] = Condition(f"\n{sql['among-ids']}\n", (json.dumps(wanted.ids),))
    if wanted.payload is not None:
        fields = payload_fields(wanted.payload)
        has = " AND ".join([sql["payload-has"]] * len(fields))
        found = Condition(has, tuple(value for field in fields for value in field))
        paths = [payload_names(path) for path, _ in fields]
        conditions["payload"] = _where_shown(found, hidden.hiding(paths), sql)
    if wanted.scope is not None:
        globs = json.dumps(wanted.scope.queues), json.dumps(wanted.scope.types)
        conditions["scope"] = Condition(f"\n{sql['seen']}\n", globs)
    if wanted.q is not None:
        text = containing(wanted.q)
        in_payload = Condition(sql["payload-contains"], (text,))
        in_payload = _where_shown(in_payload, hidden.hiding([()]), sql)
        either = f"({sql['contains']} OR {in_payload.sql})"
        conditions["q"] = Condition(either, (text, text, text, *in_payload.values))
    return conditions


def _where_shown(condition: Condition, hiding: list[str] | None, sql: SqlFile) -> Condition:
    """Return a condition that no job of these types fulfils; None: no job at all."""
    if hiding is None:
        return Condition("1 = 0")
    if not hiding:
        return condition
    others = f"(NOT ({sql['of-types']}) AND {condition.sql})"
    return Condition(others, (json.dumps(hiding), *condition.values))


def words_of(wanted: JobFilter) -> list[str]:
    """Return each field that is given: `status=failed`, `since=2026-01-31T12:00:00.000Z`."""
    fields = asdict(replace(wanted, scope=None))
    for name in ("since", "until"):
        at_ms = fields.pop(f"{name}_ms")
        fields[name] = None if at_ms is None else rfc3339(at_ms)
    return [f"{name}={_shown(value)}" for name, value in fields.items() if value is not None]


def _shown(value: object) -> str:
    """Return a value; in quotes if it could be read as several fields."""
    text = str(value)
    is_plain = ", " not in text and '"' not in text
    return text if is_plain else json.dumps(text, ensure_ascii=False)


MOST_GROUPS = 500
_HOUR_MS = 3_600_000


class Errors:
    """Groups of failed jobs, counted from an index of just these: right also after a retry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("errors.sql")

    def groups(self, scope: Scope | None = None, limit: int = MOST_GROUPS) -> list[ErrorGroup]:
        """Return the jobs that are failed now by type, error and location; most jobs first.

        These are the groups in which a job failed last. `scope`: only of jobs in it.
        """
        hour_ago_ms = self._database.clock.wall_ms() - _HOUR_MS
        hours = hour_ago_ms, hour_ago_ms - _HOUR_MS
        if scope is None:
            rows = self._database.all(self._sql["groups"], *hours, limit)
        else:
            globs = json.dumps(scope.queues), json.dumps(scope.types)
            values = *hours, hour_ago_ms, *globs, limit
            rows = self._database.all(self._sql["groups-in-scope"], *values)
        return [ErrorGroup(*row) for row in rows]
