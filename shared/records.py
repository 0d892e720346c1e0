"""The decorator `dataclass`, as in the standard library, but cheap for classes that are not used.

Creating a dataclass compiles up to six methods, which takes 1 ms. Orpheus has 180 of them, and each
process, also that of a command, uses only some. So here a method is compiled when it is used for
the first time. It is still the standard library that makes it.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:  # for a type checker, both are the same
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        eq: bool = True,
        order: bool = False,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
    ) -> type | Callable[[type], type]:
        """Make a class a dataclass; the options are those of `dataclasses.dataclass`."""
        methods = ["__init__", "__repr__"]
        if eq:
            methods += ["__eq__"]
        if eq and frozen:
            methods += ["__hash__"]
        if order:
            methods += ["__lt__", "__le__", "__gt__", "__ge__"]

        def make(cls: type) -> type:
            own = frozenset(vars(cls))
            made = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )(cls)
            for name in methods:
                if name not in own:
                    setattr(made, name, _Later(made, name))
            if eq and not frozen and "__hash__" not in own:
                made.__hash__ = None
            if frozen:
                for method in (_setattr, _delattr, *((_getstate, _setstate) if slots else ())):
                    setattr(made, f"_{method.__name__}__", method)
            return made

        return make if cls is None else make(cls)


class _Later:
    """A method of a dataclass that replaces itself with the real one at its first use."""

    def __init__(self, cls: type, name: str) -> None:
        self._cls = cls
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        """Return the method, bound to `instance` if there is one."""
        method = _method(self._cls, self._name)
        setattr(self._cls, self._name, method)  # by two threads at once: the same method, twice
        return method.__get__(instance, owner)


def _method(cls: Any, name: str) -> Any:
    """Return what the standard library makes of the fields of `cls` as its method `name`."""
    is_init = name == "__init__"
    has_order = name in {"__lt__", "__le__", "__gt__", "__ge__"}
    like = dataclasses.make_dataclass(
        cls.__name__,
        [(one.name, one.type, _copy(one)) for one in dataclasses.fields(cls)],
        namespace={"__post_init__": cls.__post_init__} if hasattr(cls, "__post_init__") else {},
        init=is_init,
        repr=name == "__repr__",
        eq=name == "__eq__" or has_order,
        order=has_order,
        unsafe_hash=name == "__hash__",
        frozen=is_init and cls.__setattr__ is _setattr,
    )
    method = vars(like)[name]
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _copy(field: "dataclasses.Field[Any]") -> Any:
    """Return a field with the same options: one Field belongs to one class."""
    return dataclasses.field(
        default=field.default,
        default_factory=field.default_factory,
        init=field.init,
        repr=field.repr,
        hash=field.hash,
        compare=field.compare,
        kw_only=field.kw_only,
    )


def _setattr(_self: object, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    """Return the values, for `copy` and `pickle`: the usual way assigns to fields."""
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
