"""What is typed as a payload: a JSON object, or fields as KEY=VALUE.

The value of a field is read as JSON, else as text. A number that JSON would write differently, such
as 1.10 or 007, would not stay as it was typed: if the field may be text, it is text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from orpheus.shared.domain.commands import FIELD_SCHEMA
from orpheus.shared.domain.json_values import unique_keys

_ANY = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_TYPES: Mapping[type, frozenset[str]] = {
    type(None): frozenset({"null"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    str: frozenset({"string"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
}
"""Type of a value -> its names in JSON Schema."""


def payload_of(words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload for a job type with this schema, which is {} if the type is not known.

    Raises UsageError if the words are neither JSON nor KEY=VALUE, or name a field twice.
    """
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            whole: dict[str, Any] = _parse(words[0])
        except (ValueError, RecursionError) as error:
            raise click.UsageError(f"the payload is not valid JSON: {error}") from None
        return whole
    payload: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{word!r} is neither a JSON object nor KEY=VALUE")
        if key in payload:
            raise click.UsageError(f"the field {key!r} is given twice")
        payload[key] = _value(text, schema.get("properties", {}).get(key, {}), schema)
    return payload


def _parse(text: str) -> Any:
    """Return a value of JSON. Raises ValueError, and RecursionError for what nests too deep."""
    return json.loads(text, object_pairs_hook=unique_keys, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _value(text: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return the value of a field that was typed as `text`."""
    types = _types_of(field, schema)
    if types == {"string"} or field == FIELD_SCHEMA:  # a field of a command becomes an argument
        return text
    try:
        value = _parse(text)
    except (ValueError, RecursionError):
        return text
    if "string" not in types:
        return value
    changes = isinstance(value, int | float) and json.dumps(value) != text
    return text if changes or not types & _TYPES[type(value)] else value


def _types_of(field: Mapping[str, Any], schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the types that a field may have, by their names in JSON Schema."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return _types_of(schema.get("$defs", {}).get(name, {}), schema)
    if "anyOf" in field:
        return frozenset().union(*(_types_of(one, schema) for one in field["anyOf"]))
    types = field.get("type", _ANY)
    return frozenset({types} if isinstance(types, str) else types)
