"""`.new(...)`: what the job gets equals what was given; what does not fit is refused at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import jsonschema_rs
import pytest
from pydantic import AfterValidator, BaseModel, Field, Json, SecretStr
from typing_extensions import TypedDict

from orpheus import Context, job
from orpheus.shared.job_types import registry as job_types
from orpheus.shared.job_types.registry import registered_types


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_types, "_registry", {})


class Colour(Enum):
    RED = "red"


class Place(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    deep: bool


@dataclass
class Data:
    raw: bytes


class RawModel(BaseModel):
    raw: bytes


@dataclass
class Item:
    name: str
    price: Decimal
    made: datetime | None = None


@dataclass
class Order:
    items: list[Item]
    notes: dict[str, str] = field(default_factory=dict)


class Customer(BaseModel):
    name: str
    born: date
    email: str = Field(alias="e-mail", default="")


class Account(BaseModel):
    id: UUID
    customer: Customer


NOW = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
CUSTOMER = Customer(name="Ada", born=date(1815, 12, 10), **{"e-mail": "a@b"})
KINDS: list[tuple[Any, Any]] = [
    (int, 2**63),
    (float, 0.1),
    (str, "é\U0001f600"),
    (None, None),
    (Any, {"a": [1, None, {"b": "c"}]}),
    (list[int], [1, 2]),
    (dict[str, list[float]], {"a": [1.5]}),
    (int | None, None),
    (datetime, NOW),
    (date, date(2026, 1, 31)),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=7)),
    (Path, Path("a/b.png")),
    (bytes, b"\xff\x00text"),
    (Colour, Colour.RED),
    (dict[int, str], {1: "a"}),
    (Place, Place(1, 2)),
    (Data, Data(b"\xff\x00")),
    (list[Data] | None, [Data(b"ab")]),
    (RawModel, RawModel(raw=b"ab")),
    (Order, Order([Item("a", Decimal(1))], {"b": "c"})),
    (Account | None, Account(id=UUID(int=3), customer=CUSTOMER)),
    (Json[list[int]], [1, 2]),
    (Annotated[int, Field(gt=3)], 4),
    (Annotated[str, AfterValidator(str.lower)], "abc"),
]


@pytest.mark.parametrize(("annotation", "value"), KINDS, ids=lambda one: repr(one)[:40])
def test_the_job_gets_what_was_given(annotation: Any, value: Any) -> None:
    def handler(value: Any) -> Any: ...

    handler.__annotations__["value"] = annotation
    request = job("kind")(handler).new(value)
    payload = json.dumps(request.payload)
    made = registered_types()["kind"]
    got = made.bind(payload)["value"]
    assert got == value
    assert type(got) is type(value) or annotation in (float, int, str)
    schema = made.describe()["schema"]
    jsonschema_rs.validator_for(schema).validate(json.loads(payload))


def plain(ctx: Context, path: str, width: int = 640, *, sizes: list[int] | None = None) -> None: ...
def anything(value: Any) -> None: ...
def rich(ctx: Context, when: datetime, order: Order | None = None, *, n: int = 1) -> None: ...
def limited(n: Annotated[int, Field(gt=3)], raw: bytes = b"") -> None: ...
def account(value: Account, secret: SecretStr | None = None) -> None: ...


REFUSED: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (plain, (), {}, "plain: path: is missing"),
    (plain, (1,), {}, "plain: path: must be a string, not an integer"),
    (plain, ("a", "b"), {}, "plain: width: must be an integer, not a string"),
    (plain, ("a",), {"path": "b"}, "plain: path: is given twice"),
    (plain, ("a",), {"widht": 1}, "plain: widht: is not a field of this job type"),
    (plain, ("a",), {"width": True}, "plain: width: must be an integer, not true or false"),
    (plain, ("a",), {"width": 2**64}, "plain: width: is an integer over 64 bits"),
    (plain, ("a",), {"sizes": (1, 2)}, "plain: sizes: is not plain JSON: the job would get [1, 2]"),
    (plain, ("a\0b",), {}, "plain: path: contains a NUL character"),
    (plain, ("\ud800",), {}, "plain: path: has a lone surrogate"),
    (anything, (NOW,), {}, "anything: value: is of type datetime"),
    (anything, ({"a": [float("nan")]},), {}, "anything: value.a.0: is nan"),
    (rich, ("2026",), {}, "rich: when: must be datetime, not str"),
    (rich, (NOW, Order([Item(1, Decimal(1))])), {}, "rich: order.name: must be str, not int"),  # type: ignore[arg-type]
    (limited, (3,), {}, "limited: n: Input should be greater than 3"),
    (account, ({"id": "x"},), {}, "account: value: must be Account, not dict"),
    (
        account,
        (Account(id=UUID(int=3), customer=CUSTOMER), SecretStr("x")),
        {},
        "account: secret: does not pass through JSON: the job would get SecretStr('**********')",
    ),
]


@pytest.mark.parametrize(("handler", "args", "kwargs", "reason"), REFUSED)
def test_what_does_not_fit_is_a_type_error_that_names_type_field_and_reason(
    handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: str
) -> None:
    marked = job(handler)
    with pytest.raises(TypeError) as refused:
        marked.new(*args, **kwargs)
    assert reason in str(refused.value)


def test_what_is_not_given_is_left_to_the_code_that_runs_the_job() -> None:
    assert job(plain).new("a.png").payload == {"path": "a.png"}


def test_a_request_does_not_change_with_the_values_it_was_made_of() -> None:
    sizes = [1, 2]
    request = job(plain).new("a", sizes=sizes)
    sizes.append(3)
    assert request.payload["sizes"] == [1, 2]
