"""What is wrong with a configuration, in sentences for its author."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

KeyPath = tuple[str | int, ...]
"""Where a value stands: table, key, and for lists the index."""

_REWORDED = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: at `key`, in view of the keys in `also`, for `reason`.

    `source` is set where the problem is not a key's but its source's (a file, a variable).
    """

    key: KeyPath
    reason: str
    also: tuple[KeyPath, ...] = ()
    source: str | None = None


def dotted(key: KeyPath) -> str:
    """The key as `--set` takes it."""
    return ".".join(_quoted(step) for step in key)


def _quoted(step: str | int) -> str:
    plain = str(step).replace("_", "").replace("-", "")
    return str(step) if plain.isascii() and plain.isalnum() else f'"{step}"'


def problems_of(error: "ValidationError", settings: "type[BaseModel]") -> list[Problem]:
    """The problems pydantic found, one for each key, the nearest known key for a typo."""
    found: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        key = _key_of(detail["loc"])
        reason = _REWORDED.get(detail["type"]) or _sentence(detail)
        if detail["type"] == "extra_forbidden":
            reason += _nearest(key, settings)
        found.setdefault(key, Problem(key, reason))
    # A list with an invalid item is not also too short for lack of it.
    inner = {key[:length] for key in found for length in range(len(key))}
    return [problem for key, problem in found.items() if key not in inner]


def _key_of(location: KeyPath) -> KeyPath:
    """The location without what pydantic adds for keys of tables and for unions."""
    return tuple(
        step
        for step in location
        if not (isinstance(step, str) and (step == "[key]" or "(" in step or "[" in step))
    )


def _sentence(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "string_pattern_mismatch":
        return f"must match {detail['ctx']['pattern']}"
    message = str(detail["msg"])
    return "must" + message.removeprefix("Input should") if "Input should" in message else message


def _nearest(key: KeyPath, settings: "type[BaseModel]") -> str:
    known = [path for path in known_keys(settings, key) if path != key]
    elsewhere = [path for path in known if path[-1] == key[-1]]
    siblings = [str(path[-1]) for path in known if path[:-1] == key[:-1]]
    if elsewhere:
        return f" (did you mean {dotted(elsewhere[0])}?)"
    typo = difflib.get_close_matches(str(key[-1]), siblings, n=1)
    return f" (did you mean {dotted((*key[:-1], typo[0]))}?)" if typo else ""


def known_keys(settings: "type[BaseModel]", like: KeyPath = ()) -> Iterator[tuple[str, ...]]:
    """Every table and key; names of pools, queues and list items are taken from `like`."""
    yield from _keys_below((), settings, like)


def _keys_below(path: KeyPath, table: "type[BaseModel]", like: KeyPath) -> Iterator[Any]:
    for name, field in table.model_fields.items():
        if not path and name == "source":
            continue
        here = (*path, name)
        yield here
        inner, is_named = _table_in(field.annotation)
        if inner is None:
            continue
        if not is_named:
            yield from _keys_below(here, inner, like)
        elif len(like) > len(here) and like[: len(here)] == here:
            yield from _keys_below((*here, like[len(here)]), inner, like)


def _table_in(annotation: Any) -> "tuple[type[BaseModel] | None, bool]":
    """The table a field holds, and whether it holds several under names or numbers."""
    if hasattr(annotation, "model_fields"):
        return annotation, False
    for argument in get_args(annotation):
        if hasattr(argument, "model_fields"):
            return argument, True
    return None, False


def without(values: Mapping[str, Any], keys: Iterable[KeyPath]) -> dict[str, Any]:
    """`values` less the keys; a key within a list takes the list with it."""
    kept = dict(values)
    for key in keys:
        _remove(kept, key)
    return kept


def _remove(table: dict[str, Any], key: KeyPath) -> None:
    if not key or key[0] not in table:
        return
    name = str(key[0])
    if len(key) == 1 or not isinstance(table[name], Mapping):
        del table[name]
        return
    table[name] = dict(table[name])
    _remove(table[name], key[1:])
