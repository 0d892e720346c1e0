"""Import FastAPI without building what no request needs.

FastAPI describes the whole of OpenAPI as pydantic models, and pydantic builds a validator for each
class at once. Only /openapi.json needs them, so they are built when it is asked for, by one thread
at a time. Our own models are built at once: several threads may be the first to use one, and
pydantic cannot build one safely in several.
"""

import contextlib
import os
from collections.abc import Iterator

from orpheus.shared.imports import standing_in

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@contextlib.contextmanager
def light_fastapi() -> Iterator[None]:
    """Import FastAPI, and let the routes that are imported in the block be made with less work."""
    plugins = os.environ.get(_NO_PLUGINS)
    # pydantic would read the metadata of all installed packages for plugins: 30 ms.
    os.environ[_NO_PLUGINS] = "__all__"
    try:
        with _built_when_used():
            import fastapi  # noqa: F401, PLC0415 - see api/__main__.py
        # For each route, FastAPI imports pydantic's version 1 to refuse its models.
        with standing_in({"pydantic.v1": None}):
            yield
    finally:
        if plugins is None:
            del os.environ[_NO_PLUGINS]
        else:
            os.environ[_NO_PLUGINS] = plugins


@contextlib.contextmanager
def _built_when_used() -> Iterator[None]:
    """Let models that are defined in the block be built at their first use."""
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415 - see api/__main__.py

    before = BaseModel.model_config
    BaseModel.model_config = ConfigDict(defer_build=True)
    try:
        yield
    finally:
        BaseModel.model_config = before
