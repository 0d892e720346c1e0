"""shared/records.py: its dataclasses are those of the standard library, only cheaper to define."""

import copy
import dataclasses
import inspect
import pickle
import sys
import threading
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar, cast

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


BOTH = [dataclasses.dataclass, records.dataclass]


def in_both(told: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What is told of each decorator: an answer, or the type of the error."""
    answers = []
    for decorator in BOTH:
        try:
            answers.append(told(decorator))
        except (TypeError, ValueError, AttributeError) as error:
            answers.append(type(error))
    return answers[0], answers[1]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_class_that_compares_itself_is_hashed_as_by_the_standard_library(
    options: dict[str, Any],
) -> None:
    def told(decorator: Any) -> list[bool]:
        @decorator(**options)
        class Compared:  # noqa: PLW1641 - what it gets is looked at
            a: int

            def __eq__(self, other: object) -> bool:
                return True

        @decorator(**options)
        class Unhashable:
            a: int
            __hash__ = None  # type: ignore[assignment]

        return [cls.__hash__ is None for cls in (Compared, Unhashable)]

    standard, ours = in_both(told)
    assert ours == standard


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("child", [True, False])
def test_what_is_frozen_does_not_mix_with_what_is_not(base: bool, child: bool) -> None:
    def told(decorator: Any) -> str:
        @decorator(frozen=base)
        class Base:
            a: int

        class Plain(Base):
            """No dataclass."""

        @decorator(frozen=child)
        class Child(Plain):
            b: int = 2

        return repr(cast("Any", Child)(1)).partition(".<locals>.")[2]

    standard, ours = in_both(told)
    assert ours == standard == ("told.<locals>.Child(a=1, b=2)" if base == child else TypeError)


@pytest.mark.parametrize("slots", [True, False])
def test_a_plain_subclass_of_a_frozen_class_has_attributes_of_its_own(slots: bool) -> None:
    def told(decorator: Any) -> list[Any]:
        @decorator(frozen=True, slots=slots)
        class Base:
            a: int

        class Plain(Base):
            """No dataclass."""

        base, one = cast("Any", Base)(1), cast("Any", Plain)(1)
        one.b = 2
        del one.b
        one.c = 3
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.a = 4
        with pytest.raises(dataclasses.FrozenInstanceError):
            del one.a
        with pytest.raises(dataclasses.FrozenInstanceError):
            base.b = 2
        return [one.a, one.c, hasattr(one, "b")]

    standard, ours = in_both(told)
    assert ours == [1, 3, False]
    assert standard == ours or slots


def test_a_state_of_its_own_is_kept() -> None:
    def told(decorator: Any) -> Any:
        @decorator(frozen=True, slots=True)
        class Own:
            a: int

            def __getstate__(self) -> int:
                return self.a + 1

            def __setstate__(self, state: int) -> None:
                object.__setattr__(self, "a", state + 1)

        return copy.copy(cast("Any", Own)(1)).a

    assert told(records.dataclass) == 3  # dataclasses of 3.11.2 replace these methods


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({"frozen": True}, "__setattr__"),
        ({"frozen": True}, "__delattr__"),
    ],
    ids=str,
)
def test_what_the_standard_library_refuses_is_refused(options: dict[str, Any], method: str) -> None:
    def told(decorator: Any) -> type:
        cls = type("Own", (), {"__annotations__": {"a": int}, method: lambda *_: None})
        made: type = decorator(**options)(cls)
        return made

    standard, ours = in_both(told)
    assert ours is standard is TypeError


@pytest.mark.parametrize("type_", [dataclasses.InitVar[int], dataclasses.InitVar])
def test_a_value_that_only_the_making_needs_is_refused(type_: Any) -> None:
    with pytest.raises(TypeError, match="InitVar"):
        records.dataclass(
            type("Own", (), {"__annotations__": {"a": type_}, "__module__": __name__})
        )


def test_what_belongs_to_the_class_is_no_field() -> None:
    @records.dataclass(frozen=True)
    class Own:
        a: int
        known: ClassVar[int] = 3

    assert (repr(Own(1)).endswith("Own(a=1)"), Own.known) == (True, 3)


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


def test_no_docstring_is_made_up_which_takes_longer_than_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspect, "signature", lambda _: pytest.fail("it is looked for"))

    @records.dataclass(frozen=True, slots=True)
    class Plain:
        x: int

    assert repr(Plain(1)).endswith("Plain(x=1)")
    assert Plain.__doc__ == "Plain"
    assert repr(make(records.dataclass)(1)).startswith("make.<locals>.Point(x=1")


def test_many_threads_may_use_it_first() -> None:
    made: list[Any] = []

    def use(point: Any, gate: threading.Barrier) -> None:
        gate.wait()
        one = point(1)
        made.append((one == point(1), repr(point(3))[-22:], hash(one) == hash(point(1))))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            point = make(records.dataclass, frozen=True, slots=True)
            gate = threading.Barrier(8)
            threads = [threading.Thread(target=use, args=(point, gate)) for _ in range(8)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
    finally:
        sys.setswitchinterval(interval)
    assert made == [(True, "Point(x=3, y=2, names=[])"[-22:], True)] * 160
