"""Decide whether a job is accepted: check its fields, and its payload against the type's schema.

The schemas come from the database, where `python -m worker --describe` put them, so this module
imports no job code. A schema is compiled once per process, and nothing it refers to is fetched.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import jsonschema_rs

from orpheus.shared.domain.dependencies import batch_problems
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.hidden import IS_HIDDEN, holds_hidden, masked_places, rules_of
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.json_values import json_pointer, json_problems, not_storable
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.job_types.request import JobRequest, OnDuplicate, conflicts, field_problems
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import TypeRow

T = TypeVar("T")

_Kind = jsonschema_rs.ValidationErrorKind
_MAX_PROBLEMS = 100
_MAX_DETAIL_CHARS = 300
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def validate_payload(
    row: TypeRow, payload: object, *, is_secret: bool = False
) -> list[FieldProblem]:
    """Return what the schema of the type refuses in `payload`, by field; empty if nothing.

    If it is secret, no value of it is quoted.
    """
    validator = _compiled(row.schema, mask="it" if is_secret else None)
    if validator.is_valid(payload):
        return []
    found = (
        problem for error in validator.iter_errors(payload) for problem in _schema_problems(error)
    )
    return list(islice(found, _MAX_PROBLEMS))


def readers_of(
    row: TypeRow, payload: object, *, is_secret: bool = False
) -> tuple[TypeRow, str | None]:
    """Return the newest version of a type that takes `payload`, and which versions can read it.

    None: all that hosts and workers have. Raises InvalidJob with what the newest one refuses, if
    none takes it, and for a hidden field that has the mask with which it was shown.
    """
    hidden = rules_of(row.hide).payload
    if refused := [
        FieldProblem(json_pointer(("payload", *place)), IS_HIDDEN)
        for place in masked_places(payload, hidden)
    ]:
        raise InvalidJob.of(refused)
    is_secret = is_secret or holds_hidden(payload, hidden)
    problems = validate_payload(row, payload, is_secret=is_secret)
    if not row.others and row.is_everywhere and not problems:
        return row, None
    taking = [] if problems else [row]
    taking += [other for other in row.others if not validate_payload(other, payload)]
    if not taking:
        raise InvalidJob.of(problems)
    if row.is_everywhere and len(taking) == 1 + len(row.others):
        return row, None
    return taking[0], " ".join(sorted(row.version for row in taking))


def prepare_job(
    types: Mapping[str, TypeRow],
    defaults: JobDefaults,
    *,
    type: str,
    payload: object,
    is_secret: bool = False,
    **fields: Any,
) -> NewJob:
    """Return the job to store, with the defaults of its type and of [jobs] filled in.

    `fields`: those of POST /jobs; None: not given. Raises InvalidJob, which names every field that
    is not valid and why; it quotes no value of a payload that is secret.
    """
    row = types.get(type)
    problems: list[FieldProblem] = []
    if row is None:
        problems.append(FieldProblem("/type", unknown_type(str(type), types)))
    problems += _not_storable_parts(payload, "payload")
    versions = None
    if row is not None and not problems:
        try:
            row, versions = readers_of(row, payload, is_secret=is_secret)
        except InvalidJob as refused:
            problems += refused.problems
    problems += field_problems(fields)
    given = {name: value for name, value in fields.items() if value is not None}
    problems += [FieldProblem("", why) for why in conflicts(given)]
    if problems or row is None:
        raise InvalidJob.of(problems)
    if "run_at" in given:
        given["run_at_ms"] = parse_time_ms(given.pop("run_at"))
    for name in ("delay", "timeout", "expires", "unique_for", "retention"):
        if name in given:
            given[f"{name}_s"] = parse_duration_s(given.pop(name))
    return with_defaults(row, defaults, payload=_encode(payload), versions=versions, **given)


def prepare_child(
    types: Mapping[str, TypeRow], defaults: JobDefaults, request: JobRequest, payload: object
) -> NewJob:
    """Return the job that a handler submits. Raises PermanentError where `prepare_job` refuses."""
    try:
        return prepare_job(types, defaults, **{**request.given(), "payload": payload})
    except InvalidJob as refused:
        raise PermanentError(f"enqueue {request.type!r}: {refused}") from None


def with_defaults(
    row: TypeRow,
    defaults: JobDefaults,
    *,
    payload: str,
    versions: str | None = None,
    queue: str | None = None,
    priority: int = 0,
    delay_s: float = 0,
    run_at_ms: int | None = None,
    max_retries: int | None = None,
    timeout_s: float | None = None,
    unique_key: str | None = None,
    concurrency_key: str | None = None,
    tags: Iterable[str] = (),
    depends_on: Iterable[int | str] = (),
    on_dependency_failure: str = "cancel",
    expires_s: float | None = None,
    unique_for_s: float | None = None,
    on_duplicate: OnDuplicate | None = None,
    retention_s: float | None = None,
    ref: str | None = None,
) -> NewJob:
    """Return the job to store of fields that were checked; None: what the type or [jobs] says."""
    return NewJob(
        type=row.name,
        payload=payload,
        queue=queue or row.queue or "default",
        priority=priority,
        delay_ms=round(delay_s * 1000),
        run_at_ms=run_at_ms,
        max_retries=_first(max_retries, row.max_retries, defaults.max_retries),
        timeout_s=_first(timeout_s, row.timeout_s, defaults.timeout_s),
        unique_key=unique_key,
        concurrency_key=concurrency_key,
        tags=tuple(dict.fromkeys(tags)),
        depends_on=tuple(depends_on),
        on_dependency_failure=on_dependency_failure,
        ref=ref,
        versions=versions,
        expires_ms=_ms(expires_s),
        unique_for_ms=_ms(unique_for_s),
        replaces=on_duplicate == "replace",
        retention_ms=_ms(row.retention_s if retention_s is None else retention_s),
    )


def _ms(duration_s: float | None) -> int | None:
    return None if duration_s is None else round(duration_s * 1000)


def prepare_batch(requests: Iterable[T], prepare: Callable[[T], NewJob]) -> list[NewJob]:
    """Return the jobs of a batch, each as `prepare` makes it.

    Raises InvalidJob, whose pointers begin with `/jobs`, if `prepare` does for any of them, and if
    they name each other wrongly.
    """
    jobs: list[NewJob] = []
    problems: list[FieldProblem] = []
    for index, request in enumerate(requests):
        try:
            jobs.append(prepare(request))
        except InvalidJob as refused:
            problems += [p._replace(pointer=f"/jobs/{index}{p.pointer}") for p in refused.problems]
            if len(problems) >= _MAX_PROBLEMS:
                break
    problems = problems or batch_problems(jobs)
    if problems:
        raise InvalidJob.of(problems)
    return jobs


def unknown_type(name: str, known: Iterable[str]) -> str:
    """Say that no type has this name, and name the type with the most similar one."""
    return f"no job type is called {name!r}{did_you_mean(name, known)}"


def _first(given: T | None, of_type: T | None, default: T) -> T:
    if given is not None:
        return given
    return default if of_type is None else of_type


@lru_cache(maxsize=1_024)
def _compiled(schema: str, *, mask: str | None) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema), offline=True, mask=mask)


def _schema_problems(error: jsonschema_rs.ValidationError) -> Iterator[FieldProblem]:
    """Yield the problems of one schema error, each at the field that is missing or unknown."""
    path = ("payload", *error.instance_path)
    kind = error.kind
    if isinstance(kind, _Kind.Required):
        yield FieldProblem(json_pointer((*path, kind.property)), "is required")
    elif isinstance(kind, _Kind.AdditionalProperties):
        for name in kind.unexpected:
            yield FieldProblem(json_pointer((*path, name)), "is not a field of this job type")
    elif isinstance(kind, (_Kind.AnyOf, _Kind.OneOfNotValid)):
        yield from _union_problems(error, kind.context)
    else:
        yield FieldProblem(json_pointer(path), _shortened(error.message))


def _union_problems(
    error: jsonschema_rs.ValidationError, ways: list[list[jsonschema_rs.ValidationError]]
) -> Iterator[FieldProblem]:
    """Yield what is wrong with a value that may be of several kinds, for the kind that was meant.

    A kind was meant if it alone fits the type of the value and its fields with fixed values.
    """
    path = list(error.instance_path)
    meant = [way for way in ways if not any(_is_another_kind(nested, path) for nested in way)]
    if len(meant) == 1:
        for nested in meant[0]:
            yield from _schema_problems(nested)
        return
    why = dict.fromkeys(nested.message for way in meant or ways for nested in way[:1])
    yield FieldProblem(
        json_pointer(("payload", *path)), _shortened(f"is none of what it may be: {'; '.join(why)}")
    )


def _is_another_kind(error: jsonschema_rs.ValidationError, path: list[str | int]) -> bool:
    below = len(error.instance_path) - len(path)
    return (below == 0 and isinstance(error.kind, (_Kind.Type, _Kind.Constant, _Kind.Enum))) or (
        below == 1 and isinstance(error.kind, _Kind.Constant)
    )


def _shortened(text: str) -> str:
    """Return both ends of a long message: it quotes the value, maybe the whole payload."""
    if len(text) <= _MAX_DETAIL_CHARS:
        return text
    half = _MAX_DETAIL_CHARS // 2
    return f"{text[:half]} … {text[-half:]}"


def _not_storable_parts(value: object, field: str) -> Iterator[FieldProblem]:
    for path, problem in json_problems(value, not_storable, (field,)):
        yield FieldProblem(json_pointer(path), problem)
