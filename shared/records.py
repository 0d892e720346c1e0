"""The decorator `dataclass`, as in the standard library, but cheap for classes that are not used.

Creating a dataclass compiles up to six methods, which takes 1 ms. Orpheus has over 200 of them, and
each process, also that of a command, uses only some. So here a method is compiled when it is used
for the first time. It is still the standard library that makes it.

What differs: the other options are not there; a class without a docstring gets its name as one; an
InitVar is refused; a frozen class must inherit from dataclasses of this module, and
`__dataclass_params__` does not tell what it is; and a slotted frozen class lets a plain subclass
set attributes of its own, as one without slots does (Python 3.11 raises TypeError).
"""

import dataclasses
from collections.abc import Callable, Mapping
from copy import copy  # dataclasses has imported it
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

__all__ = ["dataclass"]

if TYPE_CHECKING:  # for a type checker, both are the same
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        eq: bool = True,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
    ) -> type | Callable[[type], type]:
        """Make a class a dataclass; the options are those of `dataclasses.dataclass`.

        Raises TypeError as that does, and for an InitVar.
        """

        def make(cls: type) -> type:
            own = dict(vars(cls))
            _check(cls, frozen=frozen)
            if not cls.__doc__:  # the standard library would write one, with `inspect`: 10 ms
                cls.__doc__ = cls.__name__
            made = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )(cls)
            if _has_init_var(made):
                raise TypeError(f"{cls.__name__} has an InitVar, which is not supported")
            for name in ("__init__", "__repr__", *(("__eq__",) if eq else ())):
                if name not in own:
                    setattr(made, name, _Later(made, name))
            if eq and not _has_hash(own):
                made.__hash__ = _Later(made, "__hash__") if frozen else None
            if frozen:
                _freeze(made, own, slots=slots)
            return made

        return make if cls is None else make(cls)


_FREEZING = ("__setattr__", "__delattr__")
_frozen: WeakSet[type] = WeakSet()


def _check(cls: type, *, frozen: bool) -> None:
    """Raise TypeError for what the standard library refuses, too."""
    bases = [base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)]
    if bases and frozen != any(base in _frozen for base in bases):
        kinds = ("frozen", "a non-frozen") if frozen else ("non-frozen", "a frozen")
        raise TypeError("cannot inherit {} dataclass from {} one".format(*kinds))
    for name in _FREEZING if frozen else ():
        if name in vars(cls):
            raise TypeError(f"Cannot overwrite attribute {name} in class {cls.__name__}")


def _has_init_var(cls: Any) -> bool:
    fields = cls.__dataclass_fields__.values()
    return any(one._field_type.name == "_FIELD_INITVAR" for one in fields)  # noqa: SLF001


def _has_hash(own: Mapping[str, Any]) -> bool:
    """Return whether a class has a hash of its own: with `__eq__`, it gets None without asking."""
    return "__hash__" in own and not (own["__hash__"] is None and "__eq__" in own)


def _freeze(cls: Any, own: Mapping[str, Any], *, slots: bool) -> None:
    """Let no field be changed, nor anything else of an instance that is not of a subclass."""
    _frozen.add(cls)
    names = frozenset(one.name for one in dataclasses.fields(cls))

    def setattr_(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delattr_(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    methods = {"__setattr__": setattr_, "__delattr__": delattr_}
    if slots:
        methods |= {"__getstate__": _getstate, "__setstate__": _setstate}
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)


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
    namespace = {"__doc__": cls.__doc__}
    if hasattr(cls, "__post_init__"):
        namespace["__post_init__"] = cls.__post_init__
    like = dataclasses.make_dataclass(
        cls.__name__,
        # Copies: one Field belongs to one class.
        [(one.name, one.type, copy(one)) for one in dataclasses.fields(cls)],
        namespace=namespace,
        init=is_init,
        repr=name == "__repr__",
        eq=name == "__eq__",
        unsafe_hash=name == "__hash__",
        frozen=is_init and cls in _frozen,
    )
    method = vars(like)[name]
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _getstate(self: Any) -> list[Any]:
    """Return the values, for `copy` and `pickle`: the usual way assigns to fields."""
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
