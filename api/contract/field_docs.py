"""Describes the fields of queries and bodies by the docstrings below them, for /openapi.json.

pydantic's `use_attribute_docstrings` does the same, but reads the sources when the API starts: that
takes a tenth of its start.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel

from orpheus.api.contract import queries, requests


def described_models() -> dict[str, type[BaseModel]]:
    """Return the models by name, with each field's docstring as its description."""
    models: dict[str, type[BaseModel]] = {}
    docs: dict[tuple[str, str], str] = {}
    for module in (requests, queries):
        docs |= {(of, name): text for of, name, text in _docstrings(module)}
        models |= {
            name: one
            for name, one in vars(module).items()
            if isinstance(one, type) and issubclass(one, BaseModel)
        }
    for model in models.values():
        for name, field in model.model_fields.items():
            if field.description is None:
                said = (docs.get((owner.__name__, name)) for owner in model.__mro__)
                field.description = next(filter(None, said), None)
    return models


def _docstrings(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """Yield each class, field and docstring in the module's source; nothing without a source."""
    try:
        text = inspect.getsource(module)
    except OSError:  # installed without its source
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            for two in pairwise(node.body):
                match two:
                    case (
                        ast.AnnAssign(target=ast.Name(id=field)),
                        ast.Expr(value=ast.Constant(value=str(said))),
                    ):
                        yield node.name, field, inspect.cleandoc(said)
