"""A signature reads payloads, with pydantic only where it must, and gives their schema."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Optional

import jsonschema_rs
import pytest
from annotated_types import Ge

from orpheus import Context
from orpheus.shared.errors import ConfigurationError, InvalidJob
from orpheus.shared.job_types.plain import Bounds
from orpheus.shared.job_types.signatures import Signature


def signature(handler: Callable[..., Any]) -> Signature:
    made = Signature(handler)
    made.resolve()
    return made


def plain(
    ctx: Context,
    n: Annotated[int, Bounds(ge=0, le=9)],
    ratio: float = 0.5,
    name: str | None = None,
    flags: list[bool] = [],  # noqa: B006
    sizes: dict[str, int] = {},  # noqa: B006
    anything: Any = None,
    nothing: None = None,
    raw: dict = {},  # type: ignore[type-arg]  # noqa: B006
) -> None: ...


def rich(
    ctx: Context,
    when: datetime,
    schema: Literal["a", "b"] = "a",  # a name that pydantic's models have themselves
    _hidden: Annotated[int, Ge(3)] = 4,
    pair: tuple[int, str] | None = None,
) -> None: ...


GOOD = [
    (plain, {"n": 3}),
    (plain, {"n": 0, "ratio": 1, "name": "x", "flags": [True], "sizes": {"a": 1}}),
    (plain, {"n": 9, "ratio": 0.5, "name": None, "anything": [1, {}], "nothing": None}),
    (plain, {"n": 9, "raw": {"a": [1]}, "flags": []}),
    (rich, {"when": "2026-01-01T00:00:00Z"}),
    (rich, {"when": "2026-01-01T00:00:00Z", "schema": "b", "_hidden": 3, "pair": [1, "x"]}),
]
BAD = [
    (plain, {}, "/n", "is missing"),
    (plain, {"n": 1, "m": 2}, "/m", "is not a field"),
    (plain, {"n": -1}, "/n", "between 0 and 9"),
    (plain, {"n": "3"}, "/n", "an integer, not a string"),
    (plain, {"n": True}, "/n", "an integer, not true or false"),
    (plain, {"n": 1, "flags": [True, 0]}, "/flags/1", "true or false, not an integer"),
    (plain, {"n": 1, "sizes": {"a": None}}, "/sizes/a", "an integer, not null"),
    (rich, {"when": "x"}, "/when", "valid datetime"),
    (rich, {"when": "2026-01-01T00:00:00Z", "schema": "c"}, "/schema", "'a' or 'b'"),
    (rich, {"schema": "a"}, "/when", "is missing"),
]


@pytest.mark.parametrize(("handler", "payload"), GOOD)
def test_a_good_payload_binds_and_passes_the_schema(
    handler: Callable[..., Any], payload: dict[str, Any]
) -> None:
    made = signature(handler)
    jsonschema_rs.validator_for(made.schema("t")).validate(payload)
    assert made.bind(dict(payload)).keys() == payload.keys()


@pytest.mark.parametrize(("handler", "payload", "pointer", "detail"), BAD)
def test_a_bad_payload_is_refused_by_both_naming_the_field(
    handler: Callable[..., Any], payload: dict[str, Any], pointer: str, detail: str
) -> None:
    made = signature(handler)
    if payload.get("when") != "x":  # "format" is a note to JSON Schema, not a rule
        assert not jsonschema_rs.validator_for(made.schema("t")).is_valid(payload)
    with pytest.raises(InvalidJob) as refused:
        made.bind(dict(payload))
    assert any(one.pointer == pointer and detail in one.detail for one in refused.value.problems)


@pytest.mark.parametrize("payload", [[], None, "x", 3])
def test_a_payload_is_an_object(payload: Any) -> None:
    with pytest.raises(InvalidJob) as refused:
        signature(plain).bind(payload)
    assert "must be an object" in refused.value.problems[0].detail


def test_pydantic_makes_values_of_the_annotated_type() -> None:
    bound = signature(rich).bind({"when": "2026-01-01T00:00:00Z", "pair": [1, "x"]})
    assert bound == {"when": datetime(2026, 1, 1, tzinfo=UTC), "pair": (1, "x")}


def test_what_is_not_given_is_left_to_the_functions_default() -> None:
    assert signature(plain).bind({"n": 1}) == {"n": 1}


def test_annotations_may_be_text_and_the_context_bare() -> None:
    def quoted(ctx: "Context", n: "Optional[int]" = None) -> None: ...  # noqa: UP045

    def bare(ctx, n=1) -> None: ...

    assert signature(quoted).bind({"n": None}) == {"n": None}
    assert signature(bare).bind({"n": "whatever"}) == {"n": "whatever"}


def star(ctx: Context, *paths: str) -> None: ...
def stars(ctx: Context, **paths: str) -> None: ...


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (star, r"\*paths cannot be a field"),
        (stars, r"\*paths cannot be a field"),
    ],
)
def test_a_function_no_payload_could_call_is_refused(
    handler: Callable[..., Any], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        signature(handler)


class Plain:
    """Neither a dataclass nor a model."""


def takes_plain(width: int, thing: Plain) -> None: ...


def test_a_parameter_that_no_payload_can_fill_is_named_with_what_can_be_used() -> None:
    told = r"takes_plain in .* \(line \d+\): thing: JSON cannot hold a Plain; use str, .* model$"
    with pytest.raises(ConfigurationError, match=told):
        signature(takes_plain).schema("takes_plain")


def none(n: int) -> None: ...
def first(ctx: Context, n: int) -> None: ...
def middle(n: int, ctx: Context, m: int = 1) -> None: ...
def keyword(n: int, *, c: Context) -> None: ...
def optional(n: int, ctx: Context | None = None) -> None: ...
def by_module(n: int, *, ctx: "orpheus.Context") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def bare(n, ctx) -> None: ...


@pytest.mark.parametrize(
    ("handler", "name", "is_first"),
    [
        (none, None, False),
        (first, "ctx", True),
        (middle, "ctx", False),
        (keyword, "c", False),
        (optional, "ctx", False),
        (by_module, "ctx", False),
        (bare, "ctx", False),
    ],
)
def test_the_context_is_found_wherever_it_stands(
    handler: Callable[..., Any], name: str | None, is_first: bool
) -> None:
    made = signature(handler)
    assert (made.context, made.is_context_first) == (name, is_first)
    assert made.bind({"n": 1}) == {"n": 1}
    assert made.schema("t")["required"] == ["n"]


def test_a_context_that_is_imported_for_type_checking_only_is_found() -> None:
    names: dict[str, Any] = {}
    source = "from __future__ import annotations\ndef late(n: int, *, ctx: Context) -> None: ..."
    exec(source, names)  # a module that lacks the name at run time
    assert signature(names["late"]).context == "ctx"


def test_another_class_called_context_is_a_field() -> None:
    @dataclass
    class Context:
        n: int

    def handler(ctx: Context) -> None: ...

    assert signature(handler).bind({"ctx": {"n": 1}}) == {"ctx": Context(1)}
