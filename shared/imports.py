"""Import fewer modules, and with less work: most of the time of a start is spent on imports."""

import contextlib
import gc
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, cast


@contextlib.contextmanager
def without_garbage() -> Iterator[None]:
    """Import without looking for garbage, which takes a fifth of the time: there is hardly any.

    Python's collector never looks at what was imported, not even at the end of the process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Later(ModuleType):
    """Stands for a module that is imported when something of it is used.

    It is false, as None is: logging looks for asyncio like that, for each record since Python 3.12.
    """

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        """Import the real module, and return what it has of this name.

        It may be asked while it still stands in, and must not find itself then.
        """
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextlib.contextmanager
def standing_in(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Let `import` find these modules for a while, unless they are imported; None: find nothing."""
    new = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(cast("Any", new))
    try:
        yield
    finally:
        for name, module in new.items():
            if name in sys.modules and sys.modules[name] is module:  # else it was imported
                del sys.modules[name]
