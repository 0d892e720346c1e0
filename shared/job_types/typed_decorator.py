"""The types of the decorator `@job`: from a function's parameters to those of `.new(...)`."""

from collections.abc import Callable
from typing import Any, Concatenate, Protocol, TypeVar, overload

from orpheus.shared.job_types.context import Context
from orpheus.shared.job_types.job_function import JobFunction, New, R_co

R = TypeVar("R")


class _Only(Protocol[R_co]):
    def __call__(self, *, ctx: Context) -> R_co: ...


class _AfterOne(Protocol[R_co]):
    def __call__(self, a: Any, /, *, ctx: Context) -> R_co: ...


class _AfterTwo(Protocol[R_co]):
    def __call__(self, a: Any, b: Any, /, *, ctx: Context) -> R_co: ...


class _AfterThree(Protocol[R_co]):
    def __call__(self, a: Any, b: Any, c: Any, /, *, ctx: Context) -> R_co: ...


class _AfterFour(Protocol[R_co]):
    def __call__(self, a: Any, b: Any, c: Any, d: Any, /, *, ctx: Context) -> R_co: ...


KeywordContext = _Only[R] | _AfterOne[R] | _AfterTwo[R] | _AfterThree[R] | _AfterFour[R]
"""A function with `*, ctx: Context`: no type but a plugin can take a keyword away from the others,
so without one anything is allowed in its `.new(...)`."""


class Register(Protocol):
    """What `@job(...)` with arguments returns: the decorator."""

    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, New], R], /
    ) -> JobFunction[Concatenate[Context, New], New, R]: ...

    @overload
    def __call__(self, handler: KeywordContext[R], /) -> JobFunction[..., ..., R]: ...

    @overload
    def __call__(self, handler: Callable[New, R], /) -> JobFunction[New, New, R]: ...

    def __call__(self, handler: Any, /) -> Any:
        """Make the function a job type, and return it."""
