"""The JSON Schema of plain JSON types, as pydantic makes it, but without the 0.1 s of its import.

At each start a process describes the job types, and most have only such parameters.
"""

import math
import types
import typing
from collections.abc import Mapping
from inspect import Parameter
from typing import Annotated, Any

from orpheus.shared.job_types.plain import Bounds

_NAMES: Mapping[Any, str] = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    None: "null",
    type(None): "null",
}


def payload_schema(
    parameters: Mapping[str, Parameter], annotations: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the schema of an object with these fields; None if pydantic must make it."""
    fields: dict[str, Any] = {}
    for name, one in parameters.items():
        field = _schema(annotations[name])
        if field is None or not (one.default is Parameter.empty or _is_plain(one.default)):
            return None
        has_default = one.default is not Parameter.empty
        fields[name] = {**field, "default": one.default} if has_default else field
    required = [name for name, one in parameters.items() if one.default is Parameter.empty]
    return {
        "additionalProperties": False,
        "properties": {name: dict(sorted(field.items())) for name, field in fields.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _schema(annotation: Any) -> dict[str, Any] | None:
    if annotation in (Any, object):
        return {}
    if annotation in _NAMES:
        return {"type": _NAMES[annotation]}
    if annotation is list:
        return {"items": {}, "type": "array"}
    if annotation is dict:
        return {"additionalProperties": True, "type": "object"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and len(arguments) == 2 and isinstance(arguments[1], Bounds):
        number = _schema(arguments[0])
        bounds = arguments[1]
        return number and {"maximum": bounds.le, "minimum": bounds.ge, **number}
    if origin not in (list, dict, typing.Union, types.UnionType):
        return None
    parts = [_schema(one) for one in arguments]
    if None in parts or (origin is dict and arguments[0] is not str):
        return None
    if origin is list:
        return {"items": parts[0], "type": "array"}
    if origin is dict:
        return {"additionalProperties": parts[1] or True, "type": "object"}
    null = _schema(None)
    different = [part for n, part in enumerate(parts) if part != null and part not in parts[:n]]
    different += [null] if null in parts else []
    return {"anyOf": different} if len(different) > 1 else different[0]


def _is_plain(value: Any) -> bool:
    """Return whether a default is JSON as it stands."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(name) is str and _is_plain(one) for name, one in value.items())
    return type(value) in _NAMES and (type(value) is not float or math.isfinite(value))
