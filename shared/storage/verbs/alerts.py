"""The rules of `[[alerts]]`: what each has seen and remembers, and storing that it fired.

A rule's row has its cursor in the events. Whoever evaluates it reads the row, decides, and changes
the row in the transaction that inserts the job, if it is still as it was read. So however many
processes evaluate a rule, and whenever they are killed, each event counts once and each firing
makes one job.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.alerts import (
    ALERTS_QUEUE,
    AlertRule,
    Occurrence,
    OpenAlert,
    RuleState,
    Seen,
    Topic,
    changed,
)
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage.data import AlertRow
from orpheus.shared.storage.database import Database, Row, read_back
from orpheus.shared.storage.verbs.enqueue import Enqueue
from orpheus.shared.storage.verbs.events import Events

_LISTS_OF_RULE = ("on", "types", "queues")


class Alerts:
    """Stores the rules, and reads what they look at."""

    def __init__(self, database: Database, events: Events, enqueue: Enqueue) -> None:
        self._database = database
        self._events = events
        self._enqueue = enqueue
        self._sql = database.sql("alerts.sql")
        self.in_trouble: set[str] = set()
        """The rules that this process could not evaluate, or fire, the last time: logged once."""

    def configure(self, rules: Sequence[AlertRule]) -> None:
        """Store the rules of the configuration. One that is new or has changed begins now.

        One of which only the payload has changed goes on: else who reads `GET /alerts` could guess
        its webhook.
        """
        newest_seq = self._events.last_seq()
        with self._database.write(durable=False):
            rows = self._database.all(self._sql["rules-to-change"])
            known = {row.rule.name: row for row in map(_row_of, rows)}
            for name in known.keys() - {new.name for new in rules}:
                self._database.run(self._sql["remove-rule"], name)
            for rule in sorted(rules, key=lambda new: new.name):  # as all do, or two would deadlock
                before = known.get(rule.name)
                if before is None or before.rule != rule:
                    seq, state = self._begun(rule, before, newest_seq)
                    values = (json.dumps(msgspec.to_builtins(rule)), seq, _text_of(state))
                    self._database.run(self._sql["put-rule"], rule.name, *values)

    def _begun(
        self, rule: AlertRule, before: AlertRow | None, newest_seq: int
    ) -> tuple[int, RuleState]:
        """Return the event and the state from which a rule that is new or has changed goes on."""
        if before is not None and replace(before.rule, payload=rule.payload) == rule:
            return before.seq, before.state
        return newest_seq, RuleState() if before is None else changed(rule, before.state)

    def all(self) -> list[AlertRow]:
        """Return every rule, by name."""
        return [_row_of(row) for row in self._database.all(self._sql["all-rules"])]

    def move(
        self,
        row: AlertRow,
        seq: int,
        state: RuleState,
        job: NewJob | None,
        *,
        text: str = "",
        is_end: bool = False,
    ) -> int | None:
        """Store what a rule has seen up to `seq`, and make the job of an alert; return its id.

        `text`: what the job tells. `is_end`: it tells an end, so it is not the rule's last job.
        None: there is no job, or another process has changed the rule since `row` was read. In
        that case nothing is stored.
        """
        with self._database.write(durable=job is not None):
            sql, name = self._sql["move-rule"], row.rule.name
            if not self._database.run(sql, seq, _text_of(state), name, row.version) or job is None:
                return None
            (job_id,) = self._enqueue.keep([job])
            if not is_end:
                self._database.run(self._sql["note-job"], job_id, name)
            kind = "alert.resolved" if is_end else "alert.fired"
            self._events.timeline.note(kind, {"name": name, "text": text, "job_id": job_id})
            return job_id

    # What the rules look at

    def seen(self, after: int, up_to: int, kinds: Collection[str]) -> list[Seen]:
        """Return the events of these kinds with a seq in that range, in order."""
        rows = self._database.all(self._sql["seen"], after, up_to, json.dumps(sorted(kinds)))
        return [_seen_of(*row) for row in rows]

    def late_queues(self, since_ms: int, at_least: int) -> list[str]:
        """Return the queues in which so many due jobs have waited since before that time.

        Of each queue, the first 10,000 due jobs are looked at. Delayed jobs become due with the
        next lease; if no worker leases, the first 1,000 of all queues are counted.
        """
        counts = self._database.all(self._database.sql("counts.sql")["counts"])
        late: Counter[str] = Counter()
        late.update(dict(self._database.all(self._sql["late-delayed-jobs"], since_ms, 1_000)))
        for queue in {queue for queue, status, n in counts if status == Status.PENDING and n}:
            sql = self._sql["late-jobs"]
            late[queue] += int(self._database.value(sql, queue, since_ms, at_least))
        return sorted(q for q, n in late.items() if n >= at_least and q != ALERTS_QUEUE)


def _seen_of(seq: int, at_ms: int, kind: str, body: str) -> Seen:
    fields = json.loads(body)
    about = kind.partition(".")[0]
    job_type, queue = (fields.get("name" if about == of else of) for of in ("type", "queue"))
    of_worker = (fields.get(name) for name in ("slot", "host", "pid"))
    worker, host, pid = of_worker if about == "worker" else (None, None, None)
    return Seen(kind, at_ms, seq, job_type, queue, worker=worker, host=host, pid=pid)


def _text_of(state: RuleState) -> str:
    return json.dumps(msgspec.to_builtins(state), separators=(",", ":"))


def _row_of(row: Row) -> AlertRow:
    _, definition, seq, version, state, last_job_id = row
    rule = read_back(_rule_of, definition)
    return AlertRow(rule, seq, version, read_back(_state_of, state), last_job_id)


def _rule_of(text: str) -> AlertRule:
    fields = json.loads(text)
    return AlertRule(**{**fields, **{name: tuple(fields[name]) for name in _LISTS_OF_RULE}})


def _state_of(text: str) -> RuleState:
    fields = json.loads(text)
    held = fields.pop("held", None)
    still_open = tuple(
        OpenAlert(_occurrence_of(alert["told"]), tuple(alert["names"]))
        for alert in fields.pop("open", ())
    )
    others = {name: _plain(value) for name, value in fields.items()}
    return RuleState(**others, held=held and _occurrence_of(held), open=still_open)


def _occurrence_of(fields: Mapping[str, Any]) -> Occurrence:
    return Occurrence(**{**fields, "about": Topic(**fields["about"])})


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
