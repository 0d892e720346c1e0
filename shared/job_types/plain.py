"""Checks of plain JSON types, without pydantic, which would cost each worker 10 MB."""

import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.records import dataclass

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

Convert = Callable[[Any, str], Any]
"""Takes a JSON value and its pointer; returns the argument, or raises InvalidJob."""

_JSON_NAMES: dict[type, str] = {
    int: "an integer",
    float: "a number",
    str: "a string",
    bool: "true or false",
    type(None): "null",
    list: "an array",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """`Annotated[int, Bounds(ge=0, le=9)]`: pydantic's `Field(ge=0, le=9)` without pydantic."""

    ge: float
    le: float

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], "CoreSchema"]
    ) -> "CoreSchema":
        schema: Any = {**handler(source), "ge": self.ge, "le": self.le}
        return typing.cast("CoreSchema", schema)


def converter(annotation: Any) -> Convert | None:
    """Return the check of a plain JSON type; None for any other, which pydantic must check."""
    if annotation in (Any, object):
        return _anything
    if annotation is None or annotation in _JSON_NAMES:
        return _CONVERTERS[type(None) if annotation is None else annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and len(arguments) == 2 and isinstance(arguments[1], Bounds):
        inner = converter(arguments[0])
        return inner and _within(inner, arguments[1])
    if origin not in (list, dict, typing.Union, types.UnionType):
        return None
    inner_converters = [converter(argument) for argument in arguments]
    if None in inner_converters or (origin is dict and arguments[0] is not str):
        return None
    converters = typing.cast("list[Convert]", inner_converters)
    if origin is list:
        return _each_item(converters[0])
    return _each_value(converters[1]) if origin is dict else _any_of(converters)


def _anything(value: Any, _: str) -> Any:
    return value


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


_CONVERTERS: dict[type, Convert] = {
    **{wanted: _exactly(wanted) for wanted in _JSON_NAMES},
    int: _integer,
    float: _number,
}


def _within(inner: Convert, bounds: Bounds) -> Convert:
    def convert(value: Any, pointer: str) -> Any:
        number = inner(value, pointer)
        if bounds.ge <= number <= bounds.le:
            return number
        detail = f"must lie between {bounds.ge} and {bounds.le}"
        raise InvalidJob("the payload does not fit", [FieldProblem(f"/{pointer}", detail)])

    return convert


def _each_item(inner: Convert) -> Convert:
    is_list = _exactly(list)

    def convert(value: Any, pointer: str) -> Any:
        return [
            inner(item, f"{pointer}/{place}") for place, item in enumerate(is_list(value, pointer))
        ]

    return convert


def _each_value(inner: Convert) -> Convert:
    is_dict = _exactly(dict)

    def convert(value: Any, pointer: str) -> Any:
        return {
            key: inner(item, f"{pointer}/{key}") for key, item in is_dict(value, pointer).items()
        }

    return convert


def _any_of(converters: list[Convert]) -> Convert:
    def convert(value: Any, pointer: str) -> Any:
        problems: list[FieldProblem] = []
        for converter in converters:
            try:
                return converter(value, pointer)
            except InvalidJob as refused:
                problems += refused.problems
        raise InvalidJob("the payload does not fit", problems)

    return convert


def wrong_type(pointer: str, wanted: str, value: Any) -> InvalidJob:
    """Return the error for a value of another type than `wanted`."""
    got = _JSON_NAMES.get(type(value), type(value).__name__)
    problem = FieldProblem(f"/{pointer}" if pointer else "", f"must be {wanted}, not {got}")
    return InvalidJob("the payload does not fit", [problem])
