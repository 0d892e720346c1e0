"""Find values that JSON cannot hold, or that not every reader could read back.

Pure. Three callers walk a value: the API a request's body, admission a new job's payload, and the
worker what a handler returned. They differ only in the rule for a single value.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]
Rule = Callable[[Any], str | None]
"""Takes a value that is neither a list nor an object; returns what is wrong with it, or None."""

INTEGERS = range(-(2**63), 2**64)
"""The integers that a column or a client can hold. Compare with its ends: for a subclass of int, an
IntEnum for example, `in` would go through all of them."""
_MAX_DEPTH = 200  # a list that contains itself would never end


def not_json(value: Any) -> str | None:
    """Return why JSON cannot hold `value`; None if it can."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "has a lone surrogate, which is not a character"
    elif isinstance(value, float) and not math.isfinite(value):
        return f"is {value}: a number must be finite"
    elif value is not None and not isinstance(value, (bool, int, float)):
        return f"is of type {type(value).__name__}"
    return None


def not_storable(value: Any) -> str | None:
    """Return why JSON cannot hold `value`, or why some clients or columns could not read it."""
    if isinstance(value, str) and "\0" in value:
        return "contains a NUL character"
    if isinstance(value, int) and not INTEGERS.start <= value < INTEGERS.stop:
        return "is an integer over 64 bits"
    return not_json(value)


def json_problems(value: Any, rule: Rule, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the path of each part of `value` that `rule` refuses, and why."""
    if len(path) > _MAX_DEPTH:
        yield path[:8], "is nested too deep"
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from json_problems(item, rule, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                yield path, f"has a key of type {type(key).__name__}"
                continue
            if problem := rule(key):
                yield (*path, str(key)), f"has a key that {problem}"
            yield from json_problems(item, rule, (*path, str(key)))
    elif problem := rule(value):
        yield path, problem


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object: the `object_pairs_hook` of a parser that takes no key twice.

    Raises ValueError, which names the key.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {json.dumps(key)[:80]} stands twice in one object")
            seen.add(key)
    return value


def with_finite_numbers(text: str) -> str:
    """Return Python's JSON with NaN, Infinity and -Infinity as strings: JSON has no such numbers.

    Raises ValueError if `text` is not Python's JSON.
    """
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(json.loads(text, parse_constant=str), separators=(",", ":"))


def object_text(text: str) -> str:
    """Return Python's JSON of an object as `with_finite_numbers` does.

    A text that is not an object, as a damaged database may hold, stands under `unreadable`.
    """
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        value = None
    return with_finite_numbers(
        text if isinstance(value, dict) else json.dumps({"unreadable": text})
    )


def json_pointer(path: Sequence[str | int]) -> str:
    """Return `path` as a JSON pointer (RFC 6901) that can always be encoded as UTF-8."""
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return text.encode(errors="backslashreplace").decode()
