"""Parses JSON strictly: refuses what Python's parser accepts and a later step would fail on.

Python accepts NaN and Infinity, keeps the last of two equal keys, reads integers that no database
column holds and strings that UTF-8 cannot encode, and recurses until it fails. Each of these would
be a 500 or a silently different job.

Pure. A well-formed body takes one pass of the C parser; only a body with an escape or a suspicious
number is walked again, to say where the problem is.
"""

import json
import math
from typing import Any, NoReturn

from orpheus.api.http.problems import Refusal, refused_fields
from orpheus.shared.domain.json_values import (
    INTEGERS,
    json_pointer,
    json_problems,
    not_storable,
    unique_keys,
)
from orpheus.shared.domain.limits import MAX_DEPTH
from orpheus.shared.errors import FieldProblem

_LONGEST_SAFE_DIGITS = 18  # every integer of so many characters fits in 64 bits


class _Suspect(Exception):
    """A number may be unusable: parse again with the careful decoder."""


def parse(body: bytes) -> Any:
    """Return the value in `body`.

    Raises Refusal: 400 if it is not UTF-8, not JSON, has a NaN, an Infinity or a repeated key, or
    nests deeper than MAX_DEPTH; 422 with a pointer to each integer over 64 bits, number too
    large, lone surrogate and NUL character.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value, suspect = _read(text)
    except ValueError as error:
        raise Refusal(400, f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise _too_deep() from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        raise _too_deep()
    if suspect:
        problems = [
            FieldProblem(json_pointer(path), detail)
            for path, detail in json_problems(value, _unusable)
        ]
        if problems:
            raise refused_fields(problems)
    return value


def _read(text: str) -> tuple[Any, bool]:
    """Return the value, and whether it must be walked for unusable parts."""
    try:
        return _FAST.decode(text), "\\u" in text
    except _Suspect:
        return _CAREFUL.decode(text), True


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _fast_integer(text: str) -> int:
    if len(text) > _LONGEST_SAFE_DIGITS:
        raise _Suspect
    return int(text)


def _careful_integer(text: str) -> int:
    # Python raises for thousands of digits; more than 24 never fit in 64 bits.
    return int(text) if len(text) <= 24 else INTEGERS.stop


def _fast_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Suspect
    return value


_FAST = json.JSONDecoder(
    object_pairs_hook=unique_keys,
    parse_int=_fast_integer,
    parse_float=_fast_float,
    parse_constant=_constant,
)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=unique_keys,
    parse_int=_careful_integer,
    parse_constant=_constant,
)


def _is_too_deep(value: Any) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _too_deep() -> Refusal:
    return Refusal(400, f"The body nests deeper than {MAX_DEPTH} levels.")


def _unusable(value: Any) -> str | None:
    """Return why a value that the careful decoder read cannot be kept."""
    if isinstance(value, float) and math.isinf(value):
        return "is too large for a number of 64 bits"
    return not_storable(value)
