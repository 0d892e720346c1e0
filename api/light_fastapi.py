"""Import FastAPI and our routes without building what no request may ever need.

FastAPI describes the whole of OpenAPI as pydantic models, and pydantic builds a validator for each
class at once. Together with ours that takes half of the API's start. /openapi.json needs them, a
request needs one or two of ours: so each is built when it is used.
"""

import contextlib
import os
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from orpheus.shared.imports import standing_in

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@contextlib.contextmanager
def light_fastapi() -> Iterator[None]:
    """Let models that are defined meanwhile be built at their first use."""
    before = BaseModel.model_config
    BaseModel.model_config = ConfigDict(defer_build=True)
    plugins = os.environ.get(_NO_PLUGINS)
    # pydantic would read the metadata of all installed packages for plugins: 30 ms.
    os.environ[_NO_PLUGINS] = "__all__"
    try:
        # FastAPI imports pydantic's version 1 to refuse its models with a clear message.
        with standing_in({"pydantic.v1": None}):
            yield
    finally:
        BaseModel.model_config = before
        if plugins is None:
            del os.environ[_NO_PLUGINS]
        else:
            os.environ[_NO_PLUGINS] = plugins
