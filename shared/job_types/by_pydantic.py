"""What only pydantic can do for a signature: JSON Schemas, and values that are not plain JSON.

Imported with the first need, since pydantic costs a worker 10 MB.
"""

import json
import re
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_json

from orpheus.shared.errors import ConfigurationError, FieldProblem, InvalidJob

# bytes as base64: as text, only those could pass that happen to be UTF-8.
_BYTES = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_VALUE = "argument_"
_UNEXPECTED = re.compile(
    r"Expected `([^`]+)`.*?(?:field_name='([^']+)', )?input_value=.*?, input_type=(\w+)\]"
)
"""A warning of pydantic that a value is not of the annotated type."""


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class PayloadModel:
    """The parameters of a function as a pydantic model.

    Raises ConfigurationError, beginning with `where`, for an annotation that pydantic refuses.
    """

    def __init__(
        self, where: str, parameters: Mapping[str, Parameter], annotations: Mapping[str, Any]
    ) -> None:
        self._where = where
        self._names = tuple(parameters)
        self._annotations = annotations
        self._models: dict[str, type[BaseModel]] = {}
        # Fields are called f0, f1, … behind their aliases: a parameter may be called `schema`
        # or `_x`, which a model cannot have.
        fields: dict[str, Any] = {
            f"f{number}": (
                annotations[name],
                Field(
                    ... if parameter.default is Parameter.empty else parameter.default, alias=name
                ),
            )
            for number, (name, parameter) in enumerate(parameters.items())
        }
        try:
            self._model: type[BaseModel] = create_model(
                "Payload", __config__=ConfigDict(extra="forbid", **_BYTES), **fields
            )
        except PydanticSchemaGenerationError as error:
            raise ConfigurationError(f"{where}: {self._without_json()}") from error
        except PydanticUserError as error:
            raise ConfigurationError(f"{where}: {error}") from error

    def _without_json(self) -> str:
        """Return which parameter no payload can fill, and what can be used instead."""
        for name in self._names:
            try:
                self._model_of(name)
            except PydanticSchemaGenerationError:
                kind = getattr(self._annotations[name], "__name__", self._annotations[name])
                break
        return (
            f"{name}: JSON cannot hold a {kind}; use str, int, float, bool, list, dict, datetime, "
            "Enum, a dataclass, a TypedDict or a pydantic model"
        )

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema. Raises ConfigurationError if there is none."""
        try:
            return self._model.model_json_schema(schema_generator=_WithoutFieldTitles)
        except PydanticUserError as error:
            raise ConfigurationError(f"{self._where}: no JSON Schema for it: {error}") from error

    def bind(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments for a payload. Raises InvalidJob, naming each field."""
        try:
            # From JSON, so that pydantic accepts text for a datetime and a list for a tuple.
            model = self._model.model_validate_json(to_json(payload, inf_nan_mode="constants"))
        except ValidationError as error:
            raise _refused(error) from None
        given = model.model_fields_set
        return {
            name: getattr(model, field)
            for name, field in zip(self._names, type(model).model_fields, strict=True)
            if field in given
        }

    def to_json(self, name: str, value: Any) -> Any:
        """Return an argument as the decoded JSON that `bind` reads. Raises InvalidJob."""
        argument = self._model_of(name).model_construct(**{_VALUE: value})
        try:
            text = argument.model_dump_json(by_alias=True, round_trip=True, warnings="error")
        except (PydanticSerializationError, RecursionError) as error:
            raise InvalidJob("the payload does not fit", [_problem(name, error)]) from None
        return json.loads(text)[_VALUE]

    def validated(self, name: str, value: Any) -> Any:
        """Return an argument as its annotation's validators change it. Raises InvalidJob."""
        try:
            return getattr(self._model_of(name)(**{_VALUE: value}), _VALUE)
        except ValidationError as error:
            raise _refused(error, name) from None

    def _model_of(self, name: str) -> type[BaseModel]:
        """Return a model of one parameter, with the settings that it has in the whole model."""
        if name not in self._models:
            fields: dict[str, Any] = {_VALUE: (self._annotations[name], ...)}
            self._models[name] = create_model("Argument", __config__=_BYTES, **fields)
        return self._models[name]


def plain_json(value: Any) -> Any:
    """Return a value of any type that a payload may have as decoded JSON, as `to_json` does.

    Raises ValueError for a value of another type.
    """
    return json.loads(to_json(value, bytes_mode="base64", inf_nan_mode="constants"))


def _refused(error: ValidationError, *path: str) -> InvalidJob:
    problems = [
        FieldProblem(
            "/" + "/".join(str(part) for part in (*path, *wrong["loc"]) if part != _VALUE),
            wrong["msg"],
        )
        for wrong in error.errors(include_url=False, include_context=False)
    ]
    return InvalidJob("the payload does not fit", problems)


def _problem(name: str, error: Exception) -> FieldProblem:
    """Return the first of pydantic's warnings, or what else made the value no JSON."""
    found = _UNEXPECTED.search(str(error))
    if found is None:
        return FieldProblem(f"/{name}", str(error).splitlines()[0])
    wanted, field, got = found.groups()
    where = f"/{name}/{field}" if field and field != _VALUE else f"/{name}"
    return FieldProblem(where, f"must be {wanted}, not {got}")
