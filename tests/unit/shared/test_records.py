"""shared/records.py: its dataclasses are those of the standard library, only cheaper to define."""

import copy
import dataclasses
import inspect
import pickle
import threading
from dataclasses import field
from typing import Any

import pytest

from orpheus.shared import records


def make(decorator: Any, **options: Any) -> Any:
    @decorator(**options)
    class Point:
        """A place."""

        x: int
        y: int = 2
        names: list[str] = field(default_factory=list, compare=False)
        hidden: str = field(default="", repr=False)

        def __post_init__(self) -> None:
            seen.append(self.x)

    return Point


seen: list[int] = []


@records.dataclass(frozen=True, slots=True)
class Base:
    """For pickle, which finds it by its name."""

    a: int
    b: tuple[str, ...] = ()


@records.dataclass(frozen=True, slots=True, kw_only=True)
class More(Base):
    """A dataclass that inherits fields."""

    c: int = 3
    d: int


OPTIONS = [
    {},
    {"frozen": True},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "order": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"slots": True, "eq": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_does_what_the_standard_library_does(options: dict[str, Any]) -> None:
    def told(cls: Any) -> list[Any]:
        one, same, other = cls(x=1), cls(x=1, names=["a"]), cls(x=2, y=9)
        answers = [
            str(inspect.signature(cls)),
            cls.__match_args__,
            repr(one).partition(".<locals>.")[2],
            one == same,
            one == other,
            one != "text",
            dataclasses.asdict(dataclasses.replace(one, y=7)),
            dataclasses.astuple(copy.copy(one)),
            [(each.name, each.kw_only) for each in dataclasses.fields(cls)],
            cls.__hash__ is None,
            hasattr(one, "__dict__"),
        ]
        for change in ("setattr(one, 'x', 5)", "delattr(one, 'y')", "one < other", "cls()"):
            try:
                answers.append(eval(change, {"one": one, "other": other, "cls": cls}))
            except (dataclasses.FrozenInstanceError, TypeError) as error:
                answers.append((type(error), str(error).replace("test_records.", "")))
        if cls.__hash__ is not None and options.get("eq", True):
            answers.append(hash(cls(x=1)) == hash(cls(x=1, names=["b"])))
        return answers

    assert told(make(records.dataclass, **options)) == told(make(dataclasses.dataclass, **options))


def test_what_follows_the_making_is_called() -> None:
    seen.clear()
    make(records.dataclass, frozen=True)(x=4)
    assert seen == [4]


def test_fields_are_inherited() -> None:
    one = More(1, d=4)
    assert repr(one) == "More(a=1, b=(), c=3, d=4)"
    assert one == More(a=1, d=4) != More(a=1, d=5)
    assert Base(1) != one


def test_one_is_copied_and_pickled() -> None:
    one = More(1, ("x",), d=4)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_methods_of_its_own_are_kept() -> None:
    @records.dataclass(frozen=True, slots=True)
    class Own:
        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("own", True, 7)


def test_no_method_is_compiled_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    real = dataclasses.make_dataclass

    def counted(name: str, *args: Any, **options: Any) -> type:
        compiled.append(name)
        return real(name, *args, **options)

    monkeypatch.setattr(dataclasses, "make_dataclass", counted)
    point = make(records.dataclass, frozen=True, slots=True)
    assert compiled == []
    point(1)
    point(2)
    assert compiled == ["Point"]
    assert [point(1), repr(point(1)), repr(point(2))]
    assert compiled == ["Point"] * 2


def test_many_threads_may_use_it_first() -> None:
    point = make(records.dataclass, frozen=True, slots=True)
    gate = threading.Barrier(8)
    made: list[Any] = []

    def use() -> None:
        gate.wait()
        made.append((point(1) == point(1), repr(point(3))[-16:]))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set(made) == {(True, "x=3, y=2, names=[])"[-16:])}
