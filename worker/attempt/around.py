"""`[jobs] around`: context managers around each attempt, for traces, error reports and sessions."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from typing import Any, Protocol

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.context import CommonContext

Around = Sequence[Callable[[Any], Any]]
"""Functions that take the Context of an attempt, the outermost first."""


class Spans(Protocol):
    """Records attempts and steps as spans: orpheus/otel.py."""

    def attempt_span(self, lease: Lease, /) -> AbstractContextManager[Callable[[Finished], None]]:
        """Return the span of an attempt; what it gives is called with how the attempt ended."""

    def step_span(self, name: str, /) -> AbstractContextManager[object]:
        """Return the span of a step."""


def load_around(names: Iterable[str]) -> Around:
    """Return the functions with these names, `module:function`.

    An error that a module raises at import is passed on. Raises ConfigurationError for a name that
    the module does not have.
    """
    return tuple(_function(name) for name in names)


def enter_around(stack: ExitStack, around: Around, context: CommonContext) -> None:
    """Enter the context managers; `stack` leaves them, the last first.

    An exception that ends the attempt passes through them, whether the handler or they raise it.
    """
    for make in around:
        stack.enter_context(make(context))


async def enter_around_coroutine(
    stack: AsyncExitStack, around: Around, context: CommonContext
) -> None:
    """Enter them as `enter_around` does; async ones, too."""
    for make in around:
        manager = make(context)
        if hasattr(type(manager), "__aenter__"):
            await stack.enter_async_context(manager)
        else:
            stack.enter_context(manager)


def _function(name: str) -> Callable[[Any], Any]:
    module, _, attribute = name.partition(":")
    found: Any = getattr(importlib.import_module(module), attribute, None)
    if not callable(found):
        raise ConfigurationError(f"jobs.around: {module} has no function {attribute!r}")
    return found  # type: ignore[no-any-return]
