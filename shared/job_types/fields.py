"""The rules of a job's fields, for every way in from Python: `.new()`, the command line, schedules.

Imports nothing large, so an application can check a job before it sends it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orpheus.shared.domain.json_values import Path, json_pointer, json_problems, not_storable
from orpheus.shared.domain.limits import (
    LARGEST_ID,
    MAX_DEPENDENCIES,
    MAX_RETRIES,
    MAX_TAGS,
    MAX_UNIQUE_KEY_CHARS,
    NAME,
    NAME_RULE,
    ON_DEPENDENCY_FAILURE,
    PRIORITIES,
)
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem
from orpheus.shared.moments import parse_time_ms

READ_AS = "x-orpheus-read-as"
"""In the schema of a payload: what a text is read as, where not every text can be."""

Check = Callable[[Any], Iterable[tuple[Path, str]]]
"""Yields what is wrong with a value, each with its path inside the value."""


def field_problems(fields: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield what is wrong with the fields of a job, by their names; None: not given."""
    for name, value in fields.items():
        if value is not None:
            for path, detail in _CHECKS[name](value):
                yield FieldProblem(json_pointer((name, *path)), detail)


def _name(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        yield (), f"is not a valid name: it {NAME_RULE}"


def _integer_in(allowed: range) -> Check:
    def check(value: Any) -> Iterator[tuple[Path, str]]:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not allowed[0] <= value <= allowed[-1]:
            yield (), f"must be an integer from {allowed[0]} to {allowed[-1]}"

    return check


def _read_by(parse: Callable[[Any], object]) -> Check:
    def check(value: Any) -> Iterator[tuple[Path, str]]:
        try:
            parse(value)
        except ValueError as error:
            yield (), str(error)

    return check


def _timeout_s(value: Any) -> float:
    seconds = parse_duration_s(value)
    if seconds == 0:
        raise ValueError("must be longer than 0")
    return seconds


def _key(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_UNIQUE_KEY_CHARS:
        yield (), f"must be text of 1 to {MAX_UNIQUE_KEY_CHARS} characters"
    else:
        yield from json_problems(value, not_storable)


def _tags(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_TAGS:
        yield (), f"must be a list of up to {MAX_TAGS} names"
        return
    for index, tag in enumerate(value):
        for _, detail in _name(tag):
            yield (index,), detail


def _dependencies(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_DEPENDENCIES:
        yield (), f"must be a list of up to {MAX_DEPENDENCIES:,} ids and refs"
        return
    for index, one in enumerate(value):
        is_id = type(one) is int and 1 <= one <= LARGEST_ID
        if not is_id and not (isinstance(one, str) and NAME.fullmatch(one)):
            yield (index,), "must be the id of a job, or the ref of one submitted together with it"


def _on_dependency_failure(value: Any) -> Iterator[tuple[Path, str]]:
    if value not in ON_DEPENDENCY_FAILURE:
        yield (), f"must be one of {', '.join(ON_DEPENDENCY_FAILURE)}"


_CHECKS: dict[str, Check] = {
    "type": _name,
    "queue": _name,
    "priority": _integer_in(PRIORITIES),
    "delay": _read_by(parse_duration_s),
    "run_at": _read_by(parse_time_ms),
    "max_retries": _integer_in(range(MAX_RETRIES + 1)),
    "timeout": _read_by(_timeout_s),
    "unique_key": _key,
    "concurrency_key": _key,
    "tags": _tags,
    "depends_on": _dependencies,
    "on_dependency_failure": _on_dependency_failure,
    "ref": _name,
}
