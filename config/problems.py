"""Turn what is wrong with a configuration into sentences for its author."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from msgspec import Struct

from orpheus.shared.sentences import sentence, similar

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

KeyPath = tuple[str | int, ...]
"""The path of a value: table, key, and for lists the index."""

_REWORDED = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "too_short": "must not be empty",
}


class Problem(Struct, frozen=True):
    """One thing to fix at `key`, which may depend on the keys in `also`.

    `source` is set if the problem is with a whole source (a file, a variable) and not with a key,
    or with what that source says of the key, while another one sets it.
    """

    key: KeyPath
    reason: str
    also: tuple[KeyPath, ...] = ()
    source: str | None = None


def dotted(key: KeyPath) -> str:
    """Return the key as `--set` takes it."""
    return ".".join(_quoted(step) for step in key)


def _quoted(step: str | int) -> str:
    plain = str(step).replace("_", "").replace("-", "")
    return str(step) if plain.isascii() and plain.isalnum() else f'"{step}"'


def problems_of(error: "ValidationError", settings: "type[BaseModel]") -> list[Problem]:
    """Return what pydantic found, one problem for each key; a typo names the nearest known key."""
    found: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        key = _key_of(detail["loc"])
        reason = _REWORDED.get(detail["type"]) or sentence(detail)
        if detail["type"] == "extra_forbidden":
            reason += _nearest(key, settings)
        found.setdefault(key, Problem(key, reason))
    # A list with an invalid item lacks that item, and must not be called too short for it.
    inner = {key[:length] for key in found for length in range(len(key))}
    return [problem for key, problem in found.items() if key not in inner]


def _key_of(location: KeyPath) -> KeyPath:
    """Return the location without what pydantic adds for keys of tables and for unions."""
    return tuple(
        step
        for step in location
        if not (isinstance(step, str) and (step == "[key]" or "(" in step or "[" in step))
    )


def _nearest(key: KeyPath, settings: "type[BaseModel]") -> str:
    meant = _meant_key(key, settings)
    if meant is None:
        return ""
    is_in_list = any(isinstance(step, int) for step in meant)
    return f" (did you mean {dotted(meant[-1:] if is_in_list else meant)}?)"


def _meant_key(key: KeyPath, settings: "type[BaseModel]") -> KeyPath | None:
    """Return the known key that is meant by an unknown one; None if none is near enough."""
    known = [path for path in known_keys(settings, key) if path != key]
    elsewhere = [path for path in known if path[-1] == key[-1]]
    if elsewhere:
        return elsewhere[0]
    beside = [str(path[-1]) for path in known if path[:-1] == key[:-1]]
    near = similar(str(key[-1]), beside)
    return None if near is None else (*key[:-1], near)


def known_keys(table: "type[BaseModel]", like: KeyPath = (), at: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every key of `table`, which is at `at`.

    Names of pools and queues, and indexes of lists, are taken from `like`.
    """
    for name, field in table.model_fields.items():
        here = (*at, name)
        yield here
        inner, is_named = table_in(field.annotation)
        if inner is None:
            continue
        if not is_named:
            yield from known_keys(inner, like, here)
        elif len(like) > len(here) and like[: len(here)] == here:
            yield from known_keys(inner, like, (*here, like[len(here)]))


def table_in(annotation: Any) -> "tuple[type[BaseModel] | None, bool]":
    """Return the table that a field holds, and whether it holds several by name or index."""
    if hasattr(annotation, "model_fields"):
        return annotation, False
    may_be_missing = get_origin(annotation) is UnionType
    for argument in get_args(annotation):
        if hasattr(argument, "model_fields"):
            return argument, not may_be_missing
    return None, False


def without(values: Mapping[str, Any], keys: Iterable[KeyPath]) -> dict[str, Any]:
    """Return `values` without the keys; a key inside a list removes the list."""
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
