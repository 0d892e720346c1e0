"""Decide whether a job is accepted: check its fields, and its payload against the type's schema.

The schemas come from the database, where `python -m worker --describe` put them, so this module
imports no job code. A schema is compiled once per process, and nothing it refers to is fetched.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import jsonschema_rs

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.json_values import json_pointer, json_problems, not_storable
from orpheus.shared.domain.limits import (
    MAX_RETRIES,
    MAX_TAGS,
    MAX_UNIQUE_KEY_CHARS,
    NAME,
    NAME_RULE,
    PRIORITIES,
)
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.storage import TypeRow

T = TypeVar("T")

_MAX_PROBLEMS = 100
_MAX_DETAIL_CHARS = 300
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def validate_payload(row: TypeRow, payload: object) -> list[FieldProblem]:
    """Return what the schema of the type refuses in `payload`, by field; empty if nothing."""
    validator = _compiled(row.schema)
    if validator.is_valid(payload):
        return []
    problems: list[FieldProblem] = []
    for error in validator.iter_errors(payload):
        problems += _schema_problems(error)
        if len(problems) >= _MAX_PROBLEMS:
            break
    return problems[:_MAX_PROBLEMS]


def prepare_job(
    types: Mapping[str, TypeRow],
    defaults: JobDefaults,
    *,
    type: str,
    payload: object,
    queue: str | None = None,
    priority: int = 0,
    delay: object = 0,
    max_retries: int | None = None,
    timeout: object = None,
    unique_key: str | None = None,
    tags: Sequence[str] = (),
) -> NewJob:
    """Return the job to store, with the defaults of its type and of [jobs] filled in.

    Raises InvalidJob, which names every field that is not valid and why.
    """
    row = types.get(type)
    problems: list[FieldProblem] = []
    if row is None:
        problems.append(FieldProblem("/type", unknown_type(str(type), types)))
    problems += _not_storable_parts(payload, "payload")
    if row is not None and not problems:
        problems += validate_payload(row, payload)
    if queue is not None:
        problems += _check_name(queue, "/queue")
    problems += _check_range(priority, PRIORITIES, "/priority")
    if max_retries is not None:
        problems += _check_range(max_retries, range(MAX_RETRIES + 1), "/max_retries")
    problems += _check_duration(delay, "/delay")
    if timeout is not None:
        problems += _check_duration(timeout, "/timeout", may_be_zero=False)
    if unique_key is not None:
        problems += _check_unique_key(unique_key)
    problems += _check_tags(tags)
    if problems or row is None:
        raise _refused(problems)
    timeout_s = None if timeout is None else parse_duration_s(timeout)
    return NewJob(
        type=type,
        payload=_encode(payload),
        queue=queue or row.queue or "default",
        priority=priority,
        delay_ms=round(parse_duration_s(delay) * 1000),
        max_retries=_first(max_retries, row.max_retries, defaults.max_retries),
        timeout_s=_first(timeout_s, row.timeout_s, defaults.timeout_s),
        unique_key=unique_key,
        tags=tuple(dict.fromkeys(tags)),
    )


def unknown_type(name: str, known: Iterable[str]) -> str:
    """Say that no type has this name, and name the type with the most similar one."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"no job type is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _first(given: T | None, of_type: T | None, default: T) -> T:
    if given is not None:
        return given
    return default if of_type is None else of_type


def _check_name(value: object, at: str) -> Iterator[FieldProblem]:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        yield FieldProblem(at, f"is not a valid name: it {NAME_RULE}")


def _check_range(value: object, allowed: range, at: str) -> Iterator[FieldProblem]:
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        yield FieldProblem(at, f"must be an integer from {allowed[0]} to {allowed[-1]}")


def _check_duration(value: object, at: str, *, may_be_zero: bool = True) -> Iterator[FieldProblem]:
    try:
        seconds = parse_duration_s(value)
    except ValueError as error:
        yield FieldProblem(at, str(error))
        return
    if seconds == 0 and not may_be_zero:
        yield FieldProblem(at, "must be longer than 0")


def _check_unique_key(value: object) -> Iterator[FieldProblem]:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_UNIQUE_KEY_CHARS:
        yield FieldProblem("/unique_key", f"must be text of 1 to {MAX_UNIQUE_KEY_CHARS} characters")
    else:
        yield from _not_storable_parts(value, "unique_key")


def _check_tags(tags: object) -> Iterator[FieldProblem]:
    if not isinstance(tags, (list, tuple)) or len(tags) > MAX_TAGS:
        yield FieldProblem("/tags", f"must be a list of up to {MAX_TAGS} names")
        return
    for index, tag in enumerate(tags):
        yield from _check_name(tag, f"/tags/{index}")


@lru_cache(maxsize=1_024)
def _compiled(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema), offline=True)


def _schema_problems(error: jsonschema_rs.ValidationError) -> Iterator[FieldProblem]:
    """Yield the problems of one schema error, each at the field that is missing or unknown."""
    path = ("payload", *error.instance_path)
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield FieldProblem(json_pointer((*path, kind.property)), "is required")
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            yield FieldProblem(json_pointer((*path, name)), "is not a field of this job type")
    else:
        yield FieldProblem(json_pointer(path), _shortened(error.message))


def _shortened(text: str) -> str:
    """Return both ends of a long message: it quotes the value, maybe the whole payload."""
    if len(text) <= _MAX_DETAIL_CHARS:
        return text
    half = _MAX_DETAIL_CHARS // 2
    return f"{text[:half]} … {text[-half:]}"


def _not_storable_parts(value: object, field: str) -> Iterator[FieldProblem]:
    for path, problem in json_problems(value, not_storable, (field,)):
        yield FieldProblem(json_pointer(path), problem)


def _refused(problems: list[FieldProblem]) -> InvalidJob:
    text = "; ".join(f"{p.pointer[1:].replace('/', '.')}: {p.detail}" for p in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return InvalidJob(text + more, problems)
