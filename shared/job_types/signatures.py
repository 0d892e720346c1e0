"""A handler's signature defines its payload: the JSON Schema, and the keyword arguments.

pydantic makes the JSON Schema that the API checks payloads against. In the worker, `bind` turns a
payload into keyword arguments. A payload in the database may be older than the signature, or may
not have passed the API, so `bind` checks it again. It checks plain JSON types itself, because
pydantic would cost each worker 10 MB; for any other annotation it imports pydantic with the first
payload that needs it.
"""

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from orpheus.shared.errors import ConfigurationError, FieldProblem, InvalidJob

if TYPE_CHECKING:
    from pydantic import BaseModel
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
_ABSENT = inspect.Parameter.empty


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


class Signature:
    """The payload of a handler: every parameter after the context.

    Raises ConfigurationError for a function that cannot be called with a payload.
    """

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._where = f"{handler.__qualname__} in {handler.__module__}"
        self._parameters = _payload_parameters(handler, self._where)
        self._allowed = frozenset(self._parameters)
        self._required = frozenset(
            name for name, one in self._parameters.items() if one.default is _ABSENT
        )
        self._converters: dict[str, Convert] | None = None
        self._model: type[BaseModel] | None = None

    def resolve(self) -> None:
        """Read the annotations. Call it once the whole module is imported.

        Raises ConfigurationError for an annotation that names nothing.
        """
        converters = {
            name: _converter(annotation) for name, annotation in self._annotations().items()
        }
        if None not in converters.values():
            self._converters = typing.cast("dict[str, Convert]", converters)

    def bind(self, payload: Any) -> dict[str, Any]:
        """Return the keyword arguments for `payload`, a decoded JSON object.

        Raises InvalidJob, naming the field, for a payload that does not fit the signature.
        """
        if type(payload) is not dict:
            raise _wrong("", "an object", payload)
        if not (self._required <= payload.keys() <= self._allowed):
            raise InvalidJob("the payload does not fit", self._misfits(payload))
        if not payload:
            return payload
        if self._converters is None:
            return self._bind_by_pydantic(payload)
        for name, value in payload.items():
            payload[name] = self._converters[name](value, name)
        return payload

    def schema(self, title: str) -> dict[str, Any]:
        """Return the payload's JSON Schema. Raises ConfigurationError if there is none."""
        from pydantic.errors import PydanticUserError  # noqa: PLC0415
        from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

        class WithoutFieldTitles(GenerateJsonSchema):
            def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
                return False

        try:
            schema = self._payload_model().model_json_schema(schema_generator=WithoutFieldTitles)
        except PydanticUserError as error:
            raise ConfigurationError(f"{self._where}: no JSON Schema for it: {error}") from error
        return {**schema, "title": title}

    def _annotations(self) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(self._handler, include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise ConfigurationError(
                f"{self._where}: an annotation is not a type: {error}"
            ) from error
        return {name: hints.get(name, Any) for name in self._parameters}

    def _misfits(self, payload: Mapping[str, Any]) -> list[FieldProblem]:
        missing = [name for name in self._parameters if name in self._required - payload.keys()]
        unknown = sorted(payload.keys() - self._allowed)
        return [FieldProblem(f"/{name}", "is missing") for name in missing] + [
            FieldProblem(f"/{name}", "is not a field of this job type") for name in unknown
        ]

    def _bind_by_pydantic(self, payload: dict[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError  # noqa: PLC0415

        try:
            # From JSON, so that pydantic accepts text for a datetime and a list for a tuple.
            model = self._payload_model().model_validate_json(json.dumps(payload))
        except ValidationError as error:
            problems = [
                FieldProblem("/" + "/".join(str(part) for part in one["loc"]), one["msg"])
                for one in error.errors(include_url=False, include_context=False)
            ]
            raise InvalidJob("the payload does not fit", problems) from None
        given = model.model_fields_set
        return {
            name: getattr(model, field)
            for name, field in zip(self._parameters, type(model).model_fields, strict=True)
            if field in given
        }

    def _payload_model(self) -> type["BaseModel"]:
        if self._model is None:
            from pydantic import ConfigDict, Field, create_model  # noqa: PLC0415
            from pydantic.errors import PydanticUserError  # noqa: PLC0415

            # Fields are called f0, f1, … behind their aliases: a parameter may be called `schema`
            # or `_x`, which a model cannot have.
            fields: dict[str, Any] = {
                f"f{number}": (
                    annotation,
                    Field(
                        ... if name in self._required else self._parameters[name].default,
                        alias=name,
                    ),
                )
                for number, (name, annotation) in enumerate(self._annotations().items())
            }
            try:
                self._model = create_model(
                    "Payload", __config__=ConfigDict(extra="forbid"), **fields
                )
            except PydanticUserError as error:
                raise ConfigurationError(f"{self._where}: {error}") from error
        return self._model


def _payload_parameters(handler: Callable[..., Any], where: str) -> dict[str, inspect.Parameter]:
    parameters = list(inspect.signature(handler).parameters.values())
    if not parameters or not _is_context(parameters[0]):
        raise ConfigurationError(
            f"{where}: its first parameter must be the context, as in "
            f"def {handler.__name__}(ctx: Context, …)"
        )
    for one in parameters[1:]:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            raise ConfigurationError(
                f"{where}: *{one.name} cannot be a field of a payload; name each parameter"
            )
        if one.kind is one.POSITIONAL_ONLY:
            raise ConfigurationError(
                f"{where}: {one.name} is positional-only, but fields are passed by name"
            )
    return {one.name: one for one in parameters[1:]}


def _is_context(parameter: inspect.Parameter) -> bool:
    if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
        return False
    annotation = parameter.annotation
    if annotation is _ABSENT:
        return parameter.name == "ctx"
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return name.rsplit(".", 1)[-1] == "Context"


def _converter(annotation: Any) -> Convert | None:
    """Return the check of a plain JSON type; None for any other, which pydantic must check."""
    if annotation in (Any, object):
        return _anything
    if annotation is None or annotation in _JSON_NAMES:
        return _CONVERTERS[type(None) if annotation is None else annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and len(arguments) == 2 and isinstance(arguments[1], Bounds):
        inner = _converter(arguments[0])
        return inner and _within(inner, arguments[1])
    if origin not in (list, dict, typing.Union, types.UnionType):
        return None
    inner_converters = [_converter(argument) for argument in arguments]
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
        raise _wrong(pointer, _JSON_NAMES[wanted], value)

    return convert


def _integer(value: Any, pointer: str) -> Any:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():  # in JSON Schema, 2.0 is an integer
        return int(value)
    raise _wrong(pointer, _JSON_NAMES[int], value)


def _number(value: Any, pointer: str) -> Any:
    if type(value) is float or type(value) is int:
        return value
    raise _wrong(pointer, _JSON_NAMES[float], value)


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


def _wrong(pointer: str, wanted: str, value: Any) -> InvalidJob:
    got = _JSON_NAMES.get(type(value), type(value).__name__)
    problem = FieldProblem(f"/{pointer}" if pointer else "", f"must be {wanted}, not {got}")
    return InvalidJob("the payload does not fit", [problem])
