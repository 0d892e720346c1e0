"""`[jobs] around`: context managers around each attempt, for traces, error reports and sessions."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack

from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.context import Context

Around = Sequence[Callable[[Context], AbstractContextManager[object]]]
"""Functions that take the Context of an attempt, the outermost first."""


def load_around(names: Iterable[str]) -> Around:
    """Return the functions with these names, `module:function`.

    An error that a module raises at import is passed on. Raises ConfigurationError for a name that
    the module does not have.
    """
    return tuple(_function(name) for name in names)


def enter_around(stack: ExitStack, around: Around, context: Context) -> None:
    """Enter the context managers; `stack` leaves them, the last first.

    An exception that ends the attempt passes through them, whether the handler or they raise it.
    """
    for make in around:
        stack.enter_context(make(context))


def _function(name: str) -> Callable[[Context], AbstractContextManager[object]]:
    module, _, attribute = name.partition(":")
    found: object = getattr(importlib.import_module(module), attribute, None)
    if not callable(found):
        raise ConfigurationError(f"jobs.around: {module} has no function {attribute!r}")
    return found
