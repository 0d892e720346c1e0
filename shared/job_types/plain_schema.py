"""The JSON Schema of a payload whose fields all have plain JSON types, as pydantic makes it."""

import math
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from orpheus.shared.job_types.plain import PlainType

_ATOMS = (int, float, str, bool, type(None))


def payload_schema(
    parameters: Mapping[str, Parameter], plain_types: Mapping[str, PlainType | None]
) -> dict[str, Any] | None:
    """Return the schema of an object with these fields; None if pydantic must make it."""
    fields: dict[str, Any] = {}
    for name, one in parameters.items():
        plain = plain_types[name]
        if plain is None or not (one.default is Parameter.empty or _is_plain(one.default)):
            return None
        default = {} if one.default is Parameter.empty else {"default": one.default}
        fields[name] = {**plain.schema, **default}
    required = [name for name, one in parameters.items() if one.default is Parameter.empty]
    return {
        "additionalProperties": False,
        "properties": {name: dict(sorted(field.items())) for name, field in fields.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _is_plain(value: Any) -> bool:
    """Return whether a default is JSON as it stands."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(name) is str and _is_plain(one) for name, one in value.items())
    return type(value) in _ATOMS and (type(value) is not float or math.isfinite(value))
