"""What is typed as a payload: a JSON object, or fields as KEY=VALUE.

The value of a field that is text is taken as it was typed; any other is read as JSON, else as text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from orpheus.shared.domain.commands import FIELD_SCHEMA
from orpheus.shared.domain.json_values import unique_keys


def payload_of(words: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload for a job type with this schema, which is {} if the type is not known.

    Raises UsageError if the words are neither JSON nor KEY=VALUE, or name a field twice.
    """
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        whole: dict[str, Any] = json_of(words[0])
        return whole
    payload: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{word!r} is neither a JSON object nor KEY=VALUE")
        if key in payload:
            raise click.UsageError(f"the field {key!r} is given twice")
        payload[key] = _value(text, schema.get("properties", {}).get(key, {}))
    return payload


def json_of(text: str) -> Any:
    """Return the payload that was typed as JSON. Raises UsageError if it is not valid."""
    try:
        return _parse(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"the payload is not valid JSON: {error}") from None


def _parse(text: str) -> Any:
    """Return a value of JSON. Raises ValueError, and RecursionError for what nests too deep."""
    return json.loads(text, object_pairs_hook=unique_keys, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _value(text: str, field: Mapping[str, Any]) -> Any:
    """Return the value of a field that was typed as `text`."""
    if field.get("type") == "string" or field == FIELD_SCHEMA:  # a command takes text only
        return text
    try:
        return _parse(text)
    except (ValueError, RecursionError):
        return text
