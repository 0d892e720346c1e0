"""Run the schedules, and put, remove and backfill those of programs.

The job of a schedule is made here, for a tick or for an operator. It is checked when the schedule
is configured or put, and again at each tick: its type may have changed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from math import inf
from typing import Any, TypeVar

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.hidden import not_hidden_by, rules_of
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.domain.schedules import (
    TOO_OFTEN,
    CatchUp,
    Overlap,
    ScheduleDefinition,
    problem_of_cron,
    problem_of_timezone,
)
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Actor, Backfill, MakeJob, Store, TypeRow

log = get_logger()


class Put(StrEnum):
    """What a put has done."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "as it was"


Parsed = TypeVar("Parsed")
Word = TypeVar("Word", bound=StrEnum)


def fire_schedules(store: Store, settings: StoredSettings) -> float:
    """Enqueue the jobs of every due tick, and return the seconds until the next tick.

    A tick whose job is not accepted any more (its type has changed) is skipped and logged.
    """

    def make_or_log(schedule: ScheduleDefinition) -> NewJob | None:
        try:
            return job_maker(store, settings.defaults)(schedule)
        except InvalidJob as refused:
            log.error(  # noqa: TRY400 - a traceback would not help
                "schedule_refused", schedule=schedule.name, reason=str(refused)
            )
            return None

    for name in store.schedules.correct_ticks():
        log.warning(
            "schedule_corrected",
            schedule=name,
            reason="its next tick was chosen while the clock was ahead; an earlier one is next",
        )
    store.schedules.fire_due(make_or_log)
    now_ms = store.clock.wall_ms()
    ticks_ms = (row.tick_ms for row in store.schedules.all() if not row.paused)
    return (
        min((tick_ms - now_ms for tick_ms in ticks_ms if tick_ms is not None), default=inf) / 1000
    )


def job_maker(store: Store, defaults: JobDefaults) -> MakeJob:
    """Return a function that makes a schedule's job. It raises InvalidJob."""

    def make_job(schedule: ScheduleDefinition) -> NewJob:
        return _job_of(schedule, {row.name: row for row in store.types.all()}, defaults)

    return make_job


def refused_schedules(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield each schedule whose job would not be accepted, by table and index, and why.

    What only its type hides is refused, too: whoever masks the file does not know the types.
    """
    by_file = rules_of(" ".join(settings.hide)).payload
    for index, schedule in enumerate(settings.schedules):
        at, payload = ("schedules", index), json.loads(schedule.payload)
        try:
            _job_of(schedule, types, settings.defaults)
        except InvalidJob as error:
            yield at, f"{schedule.name!r} cannot make its job: {error}"
            continue
        by_type = rules_of(types[schedule.type].hide).payload
        for place in not_hidden_by(payload, by_type, by_file):
            path = ".".join(("payload", *place))
            why = f"its type hides {path}, and this file would show it"
            yield at, f'{schedule.name!r}: {why}; add "{path}" to [privacy] hide'
            break


def _job_of(
    schedule: ScheduleDefinition, types: Mapping[str, TypeRow], defaults: JobDefaults
) -> NewJob:
    from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - 4 MB, seldom used

    return prepare_job(
        types,
        defaults,
        type=schedule.type,
        payload=json.loads(schedule.payload),
        queue=schedule.queue,
        priority=schedule.priority,
    )


def put_schedule(
    store: Store,
    actor: Actor,
    defaults: JobDefaults,
    name: str,
    fields: Mapping[str, Any],
    types: Mapping[str, TypeRow] | None = None,
) -> Put:
    """Store a schedule of a program, and return what that has done.

    `fields`: those of `[[schedules]]`, without the name; None: not given. `types`: those that its
    jobs may be of; None: all. Raises InvalidJob, which names every field that is not valid, and
    TransitionRefused if the configuration file has a schedule of this name.
    """
    given = {field: value for field, value in fields.items() if value is not None}
    definition = _definition_of(name, given)
    if types is None:
        types = {row.name: row for row in store.types.all()}
    _job_of(definition, types, defaults)
    with store.write(durable=True):
        before = store.schedules.put(definition)
        if before is not None and before.definition == definition:
            return Put.UNCHANGED
        store.audit.record(
            "put",
            f"schedule {name}",
            by=actor.name,
            reason=actor.reason,
            before=None if before is None else before.definition.in_words,
            after=definition.in_words,
        )
    return Put.ADDED if before is None else Put.CHANGED


def _definition_of(name: str, given: Mapping[str, Any]) -> ScheduleDefinition:
    problems = [] if NAME.fullmatch(name) else [FieldProblem("/name", NAME_RULE)]

    def read(field: str, parse: Callable[[Any], Parsed], default: Parsed) -> Parsed:
        try:
            return parse(given[field]) if field in given else default
        except ValueError as error:
            problems.append(FieldProblem(f"/{field}", str(error)))
            return default

    definition = ScheduleDefinition(
        name,
        given["type"],
        cron=read("cron", _text, None),
        every_s=read("every", parse_duration_s, None),
        timezone=read("timezone", _text, "UTC"),
        payload=json.dumps(given.get("payload", {})),
        queue=given.get("queue"),
        priority=given.get("priority", 0),
        catch_up=read("catch_up", _one_of(CatchUp), CatchUp.ONE),
        overlap=read("overlap", _one_of(Overlap), Overlap.ALLOW),
        jitter_s=read("jitter", parse_duration_s, 0.0),
    )
    if definition.cron is not None and definition.every_s is not None:
        problems.append(FieldProblem("/every", "cannot be given with cron"))
    elif definition.cron is None and definition.every_s is None and "every" not in given:
        problems.append(FieldProblem("/cron", "is required, or every"))
    for field, found in (
        ("cron", definition.cron and problem_of_cron(definition.cron)),
        ("timezone", problem_of_timezone(definition.timezone)),
        ("every", None if (definition.every_s or 1) >= 1 else TOO_OFTEN),
    ):
        problems += [FieldProblem(f"/{field}", found)] if found else []
    if problems:
        raise InvalidJob.of(problems)
    return definition


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _one_of(words: type[Word]) -> Callable[[Any], Word]:
    def parse(value: Any) -> Word:
        if value not in [*words]:
            raise ValueError(f"must be one of {', '.join(words)}")
        return words(value)

    return parse


def queue_of(store: Store, type: str, queue: str | None) -> str:
    """Return the queue of a schedule's jobs: its own, that of the type, or the default one."""
    row = store.types.get(type)
    return queue or (row.queue if row else None) or "default"


def remove_schedule(store: Store, actor: Actor, name: str) -> None:
    """Delete a schedule of a program. Raises NotFound, and TransitionRefused for the file's."""
    verb = partial(store.schedules.remove, name)
    store.audit.audited(actor, "delete", f"schedule {name}", verb)


def backfill_schedule(
    store: Store,
    actor: Actor,
    defaults: JobDefaults,
    name: str,
    since_ms: int,
    until_ms: int,
    *,
    dry_run: bool,
) -> Backfill:
    """Submit the jobs of past ticks that have none. Raises NotFound and InvalidJob."""
    with store.write(durable=True):
        backfill = store.schedules.backfill(
            name, since_ms, until_ms, job_maker(store, defaults), dry_run=dry_run
        )
        if backfill.job_ids:
            store.audit.record(
                "backfill", f"schedule {name}", by=actor.name, reason=actor.reason,
                count=len(backfill.job_ids),
            )  # fmt: skip
    return backfill
