"""A function's signature defines its payload: the JSON Schema, and the arguments both ways.

The API checks payloads against the JSON Schema. In the worker, `bind` turns a payload into keyword
arguments. A payload in the database may be older than the signature, or may not have passed the
API, so `bind` checks it again. In an application, `payload_of` turns arguments into a payload, and
checks it with the same `bind`. Plain JSON types are described and checked without pydantic
(shared/job_types/plain.py); any other annotation imports it with the first use
that needs it.

Annotations are read late, since they may name what stands further down in the module.
"""

import inspect
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orpheus.shared.domain.json_values import json_pointer, json_problems, not_json, not_storable
from orpheus.shared.errors import ConfigurationError, FieldProblem, InvalidJob
from orpheus.shared.job_types.context import AsyncContext, CommonContext, Context
from orpheus.shared.job_types.plain import PlainType, payload_schema, plain_type, wrong_type

if TYPE_CHECKING:
    from orpheus.shared.job_types.by_pydantic import PayloadModel

_ABSENT = inspect.Parameter.empty
_ATOMS = frozenset({int, float, str, bool, type(None)})
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NO_COMPARISON: tuple[object, ...] = (object.__eq__,)
_MISFIT = "the payload does not fit"


class Signature:
    """The payload of a function: every parameter but the Context."""

    context: str | None = None
    """The parameter that takes the Context, None if there is none. Known once resolved."""
    is_context_first: bool = False
    """The Context is the first parameter, and is passed by position."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        self._where = f"{handler.__qualname__} in {handler.__module__}"
        self._all = dict(inspect.signature(handler).parameters)
        for parameter in self._all.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ConfigurationError(
                    f"{self._where}: *{parameter.name} cannot be a field of a payload; "
                    "name each parameter"
                )
        self._parameters: dict[str, inspect.Parameter] = {}
        self._annotations: dict[str, Any] = {}
        self._allowed: frozenset[str] = frozenset()
        self._required: frozenset[str] = frozenset()
        self._plain_types: dict[str, PlainType | None] = {}
        self._is_plain = False
        self._is_resolved = False
        self._model: PayloadModel | None = None

    def resolve(self) -> None:
        """Read the annotations. Needed only to see problems early: the other methods do it too.

        Raises ConfigurationError for an annotation that names nothing.
        """
        if self._is_resolved:
            return
        hints = self._hints()
        self._find_context(hints)
        self._parameters = {
            name: parameter for name, parameter in self._all.items() if name != self.context
        }
        self._annotations = {name: hints.get(name, Any) for name in self._parameters}
        self._allowed = frozenset(self._parameters)
        self._required = frozenset(
            name for name, parameter in self._parameters.items() if parameter.default is _ABSENT
        )
        self._plain_types = {
            name: plain_type(annotation) for name, annotation in self._annotations.items()
        }
        self._is_plain = None not in self._plain_types.values()
        self._is_resolved = True

    def bind(self, payload: Any) -> dict[str, Any]:
        """Return the keyword arguments for `payload`, a decoded JSON object; it may be changed.

        Raises InvalidJob, naming the field, for a payload that does not fit the signature.
        """
        if not self._is_resolved:
            self.resolve()
        if type(payload) is not dict:
            raise wrong_type("", "an object", payload)
        if not (self._required <= payload.keys() <= self._allowed):
            raise InvalidJob(_MISFIT, self._misfits(payload))
        if not payload:
            return payload
        if not self._is_plain:
            return self._payload_model().bind(payload)
        for name, value in payload.items():
            plain = self._plain_types[name]
            assert plain is not None
            payload[name] = plain.convert(value, name)
        return payload

    def payload_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload, decoded JSON, that `bind` turns into these arguments again.

        What is not given is left out: the default is the one of the code that runs the job.
        Raises InvalidJob, naming the field, for arguments that do not fit, and for those that do
        not come back equal.
        """
        self.resolve()
        given = self._by_name(args, kwargs)
        if not (self._required <= given.keys() <= self._allowed):
            raise InvalidJob(_MISFIT, self._misfits(given))
        payload = self._all_to_json(given)
        bound = self.bind(dict(payload))
        for name, value in given.items():
            plain = self._plain_types[name]
            if plain is None:
                self._refuse_changed(name, value, bound[name])
            elif not self._is_plain:  # pydantic takes "1" for 1
                plain.convert(payload[name], name)
        return payload

    def fields_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return some of the arguments as `payload_of` would have them in the payload.

        Raises InvalidJob, naming the field, for a name or a kind of value that is none of its.
        """
        self.resolve()
        if unknown := given.keys() - self._allowed:
            raise InvalidJob(_MISFIT, [_unknown(name) for name in sorted(unknown)])
        payload = self._all_to_json(given)
        for name, value in payload.items():
            plain = self._plain_types[name]
            if plain is not None:
                plain.convert(value, name)
        return payload

    def schema(self, title: str) -> dict[str, Any]:
        """Return the payload's JSON Schema. Raises ConfigurationError if there is none."""
        self.resolve()
        schema = payload_schema(self._parameters, self._plain_types)
        if schema is None:
            schema = self._payload_model().schema()
        return {**schema, "title": title}

    def _hints(self) -> dict[str, Any]:
        # Perhaps it imports Context for type checking only.
        names: dict[str, Any] = {"Context": Context, "AsyncContext": AsyncContext}
        names["orpheus"] = sys.modules.get("orpheus")
        names |= getattr(inspect.unwrap(self._handler), "__globals__", {})
        try:
            return typing.get_type_hints(self._handler, names, include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise ConfigurationError(
                f"{self._where}: an annotation is not a type: {error}"
            ) from error

    def _find_context(self, hints: Mapping[str, Any]) -> None:
        found = [
            name
            for name, parameter in self._all.items()
            if _is_context(hints.get(name, parameter.annotation))
            or (name == "ctx" and parameter.annotation is _ABSENT)
        ]
        self.context = found[0] if found else None
        if found:
            first = next(iter(self._all.values()))
            self.is_context_first = first.name == found[0] and first.kind is not first.KEYWORD_ONLY

    def _by_name(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments by the names of their parameters, the positional ones too."""
        positional = [
            name
            for name, parameter in self._parameters.items()
            if parameter.kind is not parameter.KEYWORD_ONLY
        ]
        if len(args) > len(positional):
            raise InvalidJob(_MISFIT, [FieldProblem("", f"takes {len(positional)} by position")])
        twice = kwargs.keys() & positional[: len(args)]
        if twice:
            raise InvalidJob(_MISFIT, [FieldProblem(f"/{min(twice)}", "is given twice")])
        return {**dict(zip(positional, args, strict=False)), **kwargs}

    def _all_to_json(self, given: Mapping[str, Any]) -> dict[str, Any]:
        payload = {name: self._to_json(name, value) for name, value in given.items()}
        problems = [
            FieldProblem(json_pointer(path), problem)
            for path, problem in json_problems(payload, not_storable)
        ]
        if problems:
            raise InvalidJob(_MISFIT, problems)
        return payload

    def _to_json(self, name: str, value: Any) -> Any:
        if type(value) in _ATOMS and self._plain_types[name] is not None:
            return value
        if self._plain_types[name] is None:
            return self._payload_model().to_json(name, value)
        try:
            decoded = json.loads(_encode(value))
        except (TypeError, ValueError, RecursionError) as error:
            for path, problem in json_problems(value, not_json, (name,)):
                raise InvalidJob(_MISFIT, [FieldProblem(json_pointer(path), problem)]) from None
            raise InvalidJob(_MISFIT, [FieldProblem(f"/{name}", str(error))]) from None
        if decoded != value:
            detail = f"is not plain JSON: the job would get {_shown(decoded)}"
            raise InvalidJob(_MISFIT, [FieldProblem(f"/{name}", detail)])
        return decoded

    def _refuse_changed(self, name: str, given: Any, bound: Any) -> None:
        """Refuse a value that the job would get changed: a secret that is masked, for example."""
        if bound == given or type(given).__eq__ in _NO_COMPARISON:
            return
        if bound != self._payload_model().validated(name, given):
            detail = f"does not pass through JSON: the job would get {_shown(bound)}"
            raise InvalidJob(_MISFIT, [FieldProblem(f"/{name}", detail)])

    def _misfits(self, payload: Mapping[str, Any]) -> list[FieldProblem]:
        missing = [name for name in self._parameters if name in self._required - payload.keys()]
        unknown = sorted(payload.keys() - self._allowed)
        return [FieldProblem(f"/{name}", "is missing") for name in missing] + [
            _unknown(name) for name in unknown
        ]

    def _payload_model(self) -> "PayloadModel":
        if self._model is None:
            from orpheus.shared.job_types.by_pydantic import PayloadModel  # noqa: PLC0415 - 10 MB

            code = getattr(inspect.unwrap(self._handler), "__code__", None)
            line = f" (line {code.co_firstlineno})" if code else ""
            where = f"{self._where}{line}"
            self._model = PayloadModel(where, self._parameters, self._annotations)
        return self._model


def _unknown(name: str) -> FieldProblem:
    return FieldProblem(f"/{name}", "is not a field of this job type")


def _is_context(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(_is_context(part) for part in typing.get_args(hint))
    return isinstance(hint, type) and CommonContext in hint.__mro__


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
