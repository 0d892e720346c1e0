"""Whether a job may be accepted: its fields, and its payload against its type's JSON Schema.

Schemas come from the database, where `python -m worker --describe` put them, so nobody here
imports job code. A schema is compiled once per process; it is never fetched from anywhere.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import jsonschema_rs

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.storage import TypeRow

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What job types, queues and tags are called."""
NAME_RULE = "must be 1 to 64 letters, digits, _ . or -, beginning with a letter or digit"
"""NAME as a sentence for people."""
LONGEST_UNIQUE_KEY = 255
PRIORITIES = range(-1000, 1001)
MOST_RETRIES = 100
MOST_TAGS = 32

T = TypeVar("T")

_INTEGERS = range(-(2**63), 2**64)
_MOST_PROBLEMS = 100
_LONGEST_DETAIL = 300
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def validate_payload(row: TypeRow, payload: object) -> list[FieldProblem]:
    """What the schema of the type refuses in `payload`, by field; empty if it may run."""
    validator = _compiled(row.schema)
    if validator.is_valid(payload):
        return []
    problems: list[FieldProblem] = []
    for error in validator.iter_errors(payload):
        problems += _problems_of(error)
        if len(problems) >= _MOST_PROBLEMS:
            break
    return problems[:_MOST_PROBLEMS]


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
    """The job to store, the defaults of its type and of [jobs] filled in.

    Raises InvalidJob, which names every field that cannot be used and why.
    """
    row = types.get(type)
    problems: list[FieldProblem] = []
    if row is None:
        problems.append(FieldProblem("/type", unknown_type(str(type), types)))
    problems += _unusable_parts(payload, "/payload")
    if row is not None and not problems:
        problems += validate_payload(row, payload)
    if queue is not None:
        problems += _no_name(queue, "/queue")
    problems += _out_of_range(priority, PRIORITIES, "/priority")
    if max_retries is not None:
        problems += _out_of_range(max_retries, range(MOST_RETRIES + 1), "/max_retries")
    problems += _no_duration(delay, "/delay")
    if timeout is not None:
        problems += _no_duration(timeout, "/timeout", may_be_zero=False)
    if unique_key is not None:
        problems += _unusable_key(unique_key)
    problems += _unusable_tags(tags)
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
    """Says that no type has that name, with the nearest that one has."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"no job type is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _first(given: T | None, of_type: T | None, default: T) -> T:
    if given is not None:
        return given
    return default if of_type is None else of_type


def _no_name(value: object, at: str) -> Iterator[FieldProblem]:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        yield FieldProblem(at, f"is no name: it {NAME_RULE}")


def _out_of_range(value: object, allowed: range, at: str) -> Iterator[FieldProblem]:
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        yield FieldProblem(at, f"must be an integer from {allowed[0]} to {allowed[-1]}")


def _no_duration(value: object, at: str, *, may_be_zero: bool = True) -> Iterator[FieldProblem]:
    try:
        seconds = parse_duration_s(value)
    except ValueError as error:
        yield FieldProblem(at, str(error))
        return
    if seconds == 0 and not may_be_zero:
        yield FieldProblem(at, "must be longer than 0")


def _unusable_key(value: object) -> Iterator[FieldProblem]:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_UNIQUE_KEY:
        yield FieldProblem("/unique_key", f"must be text of 1 to {LONGEST_UNIQUE_KEY} characters")
    else:
        yield from _unusable_parts(value, "/unique_key")


def _unusable_tags(tags: object) -> Iterator[FieldProblem]:
    if not isinstance(tags, (list, tuple)) or len(tags) > MOST_TAGS:
        yield FieldProblem("/tags", f"must be a list of up to {MOST_TAGS} names")
        return
    for index, tag in enumerate(tags):
        yield from _no_name(tag, f"/tags/{index}")


@lru_cache(maxsize=1_024)
def _compiled(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema), offline=True)


def _problems_of(error: jsonschema_rs.ValidationError) -> Iterator[FieldProblem]:
    """The problems of one error, at the field that is missing or too much where it says which."""
    at = _pointer("/payload", *error.instance_path)
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield FieldProblem(_pointer(at, kind.property), "is required")
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            yield FieldProblem(_pointer(at, name), "is not a field of this job type")
    else:
        yield FieldProblem(at, _shortened(error.message))


def _shortened(text: str) -> str:
    """Messages quote the value, which may be the whole payload: keep both ends."""
    if len(text) <= _LONGEST_DETAIL:
        return text
    half = _LONGEST_DETAIL // 2
    return f"{text[:half]} … {text[-half:]}"


def _pointer(base: str, *steps: str | int) -> str:
    return base + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _unusable_parts(value: Any, at: str) -> Iterator[FieldProblem]:
    """What Python can say in JSON, but the database or a client cannot read back."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unusable_parts(item, _pointer(at, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unusable_parts(key, _pointer(at, key))
            yield from _unusable_parts(item, _pointer(at, key))
    elif trouble := _trouble_with(value):
        yield FieldProblem(at, trouble)


def _trouble_with(value: Any) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            return "contains a NUL character"
        if any("\ud800" <= character <= "\udfff" for character in value):
            return "contains half of a surrogate pair, which is no character"
    elif isinstance(value, int) and value not in _INTEGERS:
        return "is an integer over 64 bits"
    elif isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return None


def _refused(problems: list[FieldProblem]) -> InvalidJob:
    text = "; ".join(f"{p.pointer[1:].replace('/', '.')}: {p.detail}" for p in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return InvalidJob(text + more, problems)
