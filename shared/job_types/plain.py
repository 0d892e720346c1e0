"""Plain JSON types: how they are checked and described, without pydantic.

It would cost each worker 10 MB, and the start of each process that describes job types 0.1 s. The
JSON Schema is the one that pydantic makes.
"""

import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from orpheus.shared.errors import FieldProblem, InvalidJob

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

Convert = Callable[[Any, str], Any]
"""Takes a JSON value and its pointer; returns the argument, or raises InvalidJob."""
Schema = Mapping[str, Any]

_ATOMS = (int, float, str, bool, type(None))
_JSON_NAMES: dict[type, str] = {
    int: "an integer",
    float: "a number",
    str: "a string",
    bool: "true or false",
    type(None): "null",
    list: "an array",
    dict: "an object",
}


class Bounds(msgspec.Struct, frozen=True):
    """`Annotated[int, Bounds(ge=0, le=9)]`: pydantic's `Field(ge=0, le=9)` without pydantic."""

    ge: float
    le: float

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], "CoreSchema"]
    ) -> "CoreSchema":
        schema: Any = {**handler(source), "ge": self.ge, "le": self.le}
        return typing.cast("CoreSchema", schema)


class PlainType(NamedTuple):
    """What can be done with a plain JSON type."""

    convert: Convert
    schema: Schema


def plain_type(annotation: Any) -> PlainType | None:
    """Return a plain JSON type; None for any other, which needs pydantic."""
    if annotation in _BY_NAME:
        return _BY_NAME[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and len(arguments) == 2 and isinstance(arguments[1], Bounds):
        number = plain_type(arguments[0])
        return None if number is None else _within(number, arguments[1])
    if origin not in (list, dict, typing.Union, types.UnionType):
        return None
    parts = [part for part in map(plain_type, arguments) if part is not None]
    if not parts or len(parts) < len(arguments) or (origin is dict and arguments[0] is not str):
        return None
    if origin is list:
        return _list_of(parts[0])
    return _dict_of(parts[1]) if origin is dict else _any_of(parts)


def _exactly(wanted: type) -> Convert:
    def convert(value: Any, pointer: str) -> Any:
        if type(value) is wanted:
            return value
        raise wrong_type(pointer, _JSON_NAMES[wanted], value)

    return convert


def _integer(value: Any, pointer: str) -> Any:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():  # in JSON Schema, 2.0 is an integer
        return int(value)
    raise wrong_type(pointer, _JSON_NAMES[int], value)


def _number(value: Any, pointer: str) -> Any:
    if type(value) is float or type(value) is int:
        return value
    raise wrong_type(pointer, _JSON_NAMES[float], value)


_ANYTHING = PlainType(lambda value, _: value, {})
_NULL = PlainType(_exactly(type(None)), {"type": "null"})
_BY_NAME: Mapping[Any, PlainType] = {
    Any: _ANYTHING,
    object: _ANYTHING,
    int: PlainType(_integer, {"type": "integer"}),
    float: PlainType(_number, {"type": "number"}),
    str: PlainType(_exactly(str), {"type": "string"}),
    bool: PlainType(_exactly(bool), {"type": "boolean"}),
    None: _NULL,
    type(None): _NULL,
    list: PlainType(_exactly(list), {"items": {}, "type": "array"}),
    dict: PlainType(_exactly(dict), {"additionalProperties": True, "type": "object"}),
}


def _within(inner: PlainType, bounds: Bounds) -> PlainType:
    def convert(value: Any, pointer: str) -> Any:
        number = inner.convert(value, pointer)
        if bounds.ge <= number <= bounds.le:
            return number
        detail = f"must lie between {bounds.ge} and {bounds.le}"
        raise InvalidJob("the payload does not fit", [FieldProblem(f"/{pointer}", detail)])

    return PlainType(convert, {"maximum": bounds.le, "minimum": bounds.ge, **inner.schema})


def _list_of(inner: PlainType) -> PlainType:
    is_list, convert_item = _exactly(list), inner.convert

    def convert(value: Any, pointer: str) -> Any:
        items = is_list(value, pointer)
        return [convert_item(item, f"{pointer}/{index}") for index, item in enumerate(items)]

    return PlainType(convert, {"items": inner.schema, "type": "array"})


def _dict_of(inner: PlainType) -> PlainType:
    is_dict, convert_item = _exactly(dict), inner.convert

    def convert(value: Any, pointer: str) -> Any:
        items = is_dict(value, pointer).items()
        return {key: convert_item(item, f"{pointer}/{key}") for key, item in items}

    return PlainType(convert, {"additionalProperties": inner.schema or True, "type": "object"})


def _any_of(parts: Sequence[PlainType]) -> PlainType:
    def convert(value: Any, pointer: str) -> Any:
        problems: list[FieldProblem] = []
        for part in parts:
            try:
                return part.convert(value, pointer)
            except InvalidJob as refused:
                problems += refused.problems
        raise InvalidJob("the payload does not fit", problems)

    different: list[Schema] = []
    for part in parts:
        if part.schema not in different:
            different.append(part.schema)
    different.sort(key=lambda schema: schema == _NULL.schema)  # pydantic names null last
    return PlainType(convert, {"anyOf": different} if len(different) > 1 else different[0])


def wrong_type(pointer: str, wanted: str, value: Any) -> InvalidJob:
    """Return the error for a value of another type than `wanted`."""
    got = _JSON_NAMES.get(type(value), type(value).__name__)
    problem = FieldProblem(f"/{pointer}" if pointer else "", f"must be {wanted}, not {got}")
    return InvalidJob("the payload does not fit", [problem])


def payload_schema(
    parameters: Mapping[str, Parameter], plain_types: Mapping[str, PlainType | None]
) -> dict[str, Any] | None:
    """Return the schema of an object with these fields; None if pydantic must make it."""
    fields: dict[str, Any] = {}
    for name, parameter in parameters.items():
        plain = plain_types[name]
        if plain is None or not (
            parameter.default is Parameter.empty or _is_json(parameter.default)
        ):
            return None
        default = {} if parameter.default is Parameter.empty else {"default": parameter.default}
        fields[name] = {**plain.schema, **default}
    required = [
        name for name, parameter in parameters.items() if parameter.default is Parameter.empty
    ]
    return {
        "additionalProperties": False,
        "properties": {name: dict(sorted(field.items())) for name, field in fields.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _is_json(value: Any) -> bool:
    """Return whether a default is JSON as it stands."""
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(name) is str and _is_json(item) for name, item in value.items())
    return type(value) in _ATOMS and (type(value) is not float or math.isfinite(value))
