"""Plain types have the same schema with and without pydantic."""

import functools
import inspect
import operator
import typing
from types import GenericAlias
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from orpheus.shared.job_types.by_pydantic import PayloadModel
from orpheus.shared.job_types.plain import Bounds, payload_schema, plain_type

ATOMS = st.sampled_from(
    [int, float, str, bool, type(None), list, dict, Any, object, Annotated[int, Bounds(ge=0, le=9)]]
)


def union(annotations: list[Any]) -> Any:
    return functools.reduce(operator.or_, annotations)


ANNOTATIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: GenericAlias(list, one)),
        inner.map(lambda one: GenericAlias(dict, (str, one))),
        st.lists(inner, min_size=1, max_size=3).map(union),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)
DEFAULTS = st.one_of(st.just(inspect.Parameter.empty), VALUES)


def parameters(**defaults: Any) -> dict[str, inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return {name: inspect.Parameter(name, kind, default=one) for name, one in defaults.items()}


def described(
    fields: dict[str, inspect.Parameter], annotations: dict[str, Any]
) -> dict[str, Any] | None:
    return payload_schema(fields, {name: plain_type(one) for name, one in annotations.items()})


def by_pydantic(
    fields: dict[str, inspect.Parameter], annotations: dict[str, Any]
) -> dict[str, Any]:
    schema = PayloadModel("here", fields, annotations).schema()
    del schema["title"]
    return schema


@given(ANNOTATIONS, DEFAULTS, ANNOTATIONS, DEFAULTS)
def test_plain_parameters_are_described_as_pydantic_does(one, default, other, other_default):
    fields, annotations = parameters(a=default, b=other_default), {"a": one, "b": other}
    ours = described(fields, annotations)
    assert ours is None or ours == by_pydantic(fields, annotations)


def test_most_parameters_need_no_pydantic():
    empty = inspect.Parameter.empty
    fields = parameters(path=empty, width=empty, tags=empty, headers=None, options=empty)
    annotations = {
        "path": str,
        "width": Annotated[int, Bounds(ge=1, le=9)],
        "tags": list[str],
        "headers": dict[str, str] | None,
        "options": dict[str, Any],
    }
    ours = described(fields, annotations)
    assert ours is not None
    assert ours == by_pydantic(fields, annotations)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (bytes, inspect.Parameter.empty),
        (dict[int, str], inspect.Parameter.empty),
        (Annotated[int, Field(gt=3)], inspect.Parameter.empty),
        (list[bytes], inspect.Parameter.empty),
        (int | bytes, inspect.Parameter.empty),
        (typing.List, inspect.Parameter.empty),  # noqa: UP006 - such as older code has
        (list, ()),
        (float, float("inf")),
    ],
)
def test_everything_else_is_left_to_pydantic(annotation, default):
    assert described(parameters(a=default), {"a": annotation}) is None
