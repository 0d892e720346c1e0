"""Import without looking for garbage: most of the time of a start is spent on imports."""

import contextlib
import gc
from collections.abc import Iterator


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
