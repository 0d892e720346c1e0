"""A plugin for mypy: it knows which parameter of a job's function takes the Context.

`plugins = ["orpheus.mypy_plugin"]` in the configuration of mypy. Without it, mypy knows the
parameters of `.new(...)` where the Context comes first or is missing; with it, always.
"""

from collections.abc import Callable, Iterable

from mypy.plugin import FunctionContext, MethodContext, Plugin
from mypy.types import CallableType, Instance, Parameters, Type, UnionType, get_proper_type

_HERE = "orpheus.shared.job_types"
_CONTEXT = f"{_HERE}.context.Context"
_JOB = f"{_HERE}.context.JobFunction"


class OrpheusPlugin(Plugin):
    """Makes the type that `@job` and `@job(...)` return exact."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Return the hook of `@job`; None for other functions."""
        return _exact if fullname == f"{_HERE}.registry.job" else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Return the hook of `@job(...)`; None for other methods."""
        return _exact if fullname == f"{_HERE}.registry.Register.__call__" else None


def _exact(call: FunctionContext | MethodContext) -> Type:
    made = get_proper_type(call.default_return_type)
    if not isinstance(made, Instance) or made.type.fullname != _JOB or not call.arg_types[0]:
        return call.default_return_type
    handler = get_proper_type(call.arg_types[0][0])
    if not isinstance(handler, CallableType) or handler.variables:
        return call.default_return_type
    indexes = range(len(handler.arg_types))
    payload = [index for index in indexes if not _is_context(handler.arg_types[index])]
    return made.copy_modified(
        args=[_parameters(handler, indexes), _parameters(handler, payload), handler.ret_type]
    )


def _parameters(handler: CallableType, indexes: Iterable[int]) -> Parameters:
    chosen = list(indexes)
    return Parameters(
        [handler.arg_types[index] for index in chosen],
        [handler.arg_kinds[index] for index in chosen],
        [handler.arg_names[index] for index in chosen],
    )


def _is_context(annotated: Type) -> bool:
    proper = get_proper_type(annotated)
    if isinstance(proper, UnionType):
        return any(_is_context(one) for one in proper.items)
    return isinstance(proper, Instance) and proper.type.has_base(_CONTEXT)


def plugin(_version: str) -> type[Plugin]:
    """Return the plugin: mypy calls this."""
    return OrpheusPlugin
