"""The two clients have the same methods: their signatures and docstrings stand twice."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from orpheus import AsyncClient, Client


def methods_of(kind: type) -> dict[str, Callable[..., Any]]:
    return {name: one for name, one in vars(kind).items() if inspect.isfunction(one)}


PUBLIC = sorted(name for name in methods_of(Client) if not name.startswith("_"))


def test_both_have_the_same_methods() -> None:
    assert [name for name in sorted(methods_of(AsyncClient)) if not name.startswith("_")] == PUBLIC


@pytest.mark.parametrize("name", ["__init__", *PUBLIC])
def test_a_method_has_the_same_parameters(name: str) -> None:
    blocking, awaited = methods_of(Client)[name], methods_of(AsyncClient)[name]
    assert inspect.signature(blocking).parameters == inspect.signature(awaited).parameters


@pytest.mark.parametrize("name", sorted({*PUBLIC} - {"jobs"}))
def test_a_method_has_the_same_docstring(name: str) -> None:
    assert methods_of(Client)[name].__doc__ == methods_of(AsyncClient)[name].__doc__


def test_the_list_of_jobs_says_only_how_it_is_awaited_beside_that() -> None:
    blocking, awaited = (inspect.getdoc(kind.jobs) or "" for kind in (Client, AsyncClient))
    how = "`async for job in client.jobs()`, or `await client.jobs()` for a list.\n"
    assert awaited.replace(how, "") == blocking
