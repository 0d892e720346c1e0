"""`[jobs] around`: context managers around each attempt, for traces, error reports and sessions."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
)
from itertools import chain
from typing import Any

from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.context import Context
from orpheus.shared.job_types.registry import JobType

_Make = Callable[[Context], AbstractContextManager[object] | AbstractAsyncContextManager[object]]
Around = Sequence[_Make]
"""Functions that take the Context of an attempt, the outermost first."""

_ONLY_COROUTINES = "an async context manager, which only `async def` jobs can enter"


def load_around(names: Iterable[str]) -> Around:
    """Return the functions with these names, `module:function`.

    An error that a module raises at import is passed on. Raises ConfigurationError for a name that
    the module does not have, and for a function that returns no context manager.
    """
    return tuple(_function(name) for name in names)


def check_around(around: Around, types: Iterable[JobType], commands: Iterable[str]) -> None:
    """Raise ConfigurationError if a type is none that can be run inside each of `around`.

    `commands`: the names of those types that are commands.
    """
    plain = (f"the job type {one.name!r} is a plain function" for one in types if not one.is_async)
    why = next(chain(plain, (f"{name!r} is a command" for name in commands)), None)
    for make in around:
        if why is not None and _is_for_coroutines(make):
            raise ConfigurationError(f"jobs.around: {_name(make)} is {_ONLY_COROUTINES}; {why}")


def enter_around(stack: ExitStack, around: Around, context: Context) -> None:
    """Enter the context managers; `stack` leaves them, the last first.

    An exception that ends the attempt passes through them, whether the handler or they raise it.
    """
    for make in around:
        manager: Any = make(context)
        if not hasattr(type(manager), "__enter__"):
            raise _wrong(make, manager)
        stack.enter_context(manager)


async def enter_around_coroutine(stack: AsyncExitStack, around: Around, context: Context) -> None:
    """Enter them as `enter_around` does; those that are also async ones, as such."""
    for make in around:
        manager: Any = make(context)
        if hasattr(type(manager), "__aenter__"):
            await stack.enter_async_context(manager)
        elif hasattr(type(manager), "__enter__"):
            stack.enter_context(manager)
        else:
            raise _wrong(make, manager)


def _function(name: str) -> _Make:
    module, _, attribute = name.partition(":")
    found: Any = getattr(importlib.import_module(module), attribute, None)
    if not callable(found):
        raise ConfigurationError(f"jobs.around: {module} has no function {attribute!r}")
    if inspect.isgeneratorfunction(found):
        raise ConfigurationError(
            f"jobs.around: {name} lacks the decorator contextlib.contextmanager"
        )
    if inspect.isasyncgenfunction(found) or inspect.iscoroutinefunction(found):
        raise ConfigurationError(
            f"jobs.around: {name} lacks the decorator contextlib.asynccontextmanager"
        )
    make: _Make = found
    return make


def _is_for_coroutines(make: _Make) -> bool:
    if inspect.isclass(make):
        return hasattr(make, "__aenter__") and not hasattr(make, "__enter__")
    return inspect.isasyncgenfunction(inspect.unwrap(make))


def _wrong(make: _Make, made: object) -> TypeError:
    is_async = hasattr(type(made), "__aenter__")
    what = _ONLY_COROUTINES if is_async else f"no context manager: a {type(made).__name__}"
    return TypeError(f"jobs.around: what {_name(make)} returned is {what}")


def _name(make: _Make) -> str:
    return f"{make.__module__}:{getattr(make, '__qualname__', repr(make))}"
