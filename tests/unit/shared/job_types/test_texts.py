"""Texts that stand for a date, a number or the like: accepted if the worker can read them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, Field, OnErrorOmit, PlainValidator, model_validator

from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.admission import validate_payload
from orpheus.shared.job_types.signatures import Signature
from orpheus.shared.storage import TypeRow

PROBLEMS = {
    "d": "must be a date, such as 2026-01-31",
    "td": "must be a duration, such as PT1H30M or 01:30:00",
    "x": "must be a number, such as 9.90",
}


@dataclass
class Stay:
    until: date


def every_kind(
    d: date | None = None,
    dt: datetime | None = None,
    t: time | None = None,
    td: timedelta | None = None,
    u: UUID | None = None,
    x: Decimal | None = None,
    inf: Annotated[Decimal | None, Field(allow_inf_nan=True)] = None,
    days: dict[date, int] | None = None,
    either: date | str | None = None,
    stays: list[Stay] | None = None,
) -> None:
    """Takes each kind of text."""


def told(handler: Callable[..., None]) -> tuple[Signature, TypeRow]:
    signature = Signature(handler)
    schema = json.dumps(signature.schema("x"))
    return signature, TypeRow("x", schema, None, None, None, "")


SIGNATURE, ROW = told(every_kind)
TEXTS = (
    "x", "", " ", "tomorrow", "2026-01-31", " 2026-01-31 ", "2026-02-30", "20260131", "2026-1-1",
    "2026-01-31T00:00:00", "2026-01-31T12:00", "2026-01-31 12:00:00.5+02:00", "2026-01-31t12:00z",
    "1700000000", "1700000000.5", "86400", "-1", "1e5", "1_000", " 1.5 ", "+3", ".5", "NaN",
    "-Infinity", "12:30", "12:30:00", "24:00", "12:30:00Z", "P1D", "-P1DT2H", "PT90S", "1 day",
    "3 days, 12:30:00", "01:30:00", "P1W", "16fd2706-8baf-433b-82eb-8c7fada847da",
    "16FD27068BAF433B82EB8C7FADA847DA", "{16fd2706-8baf-433b-82eb-8c7fada847da}", "١٢",
    "urn:uuid:16fd2706-8baf-433b-82eb-8c7fada847da", "9" * 400, "2026-01-31\x00",
)  # fmt: skip
ONE_OF_TEXTS = (
    st.sampled_from(TEXTS)
    | st.text(alphabet="0123456789-:+.TZPDHMS ,daysef", max_size=24)
    | st.dates().map(str)
    | st.datetimes(timezones=st.none() | st.timezones()).map(str)
    | st.timedeltas().map(str)
    | st.decimals().map(str)
)


def is_read(signature: Signature, payload: Mapping[str, Any]) -> bool:
    try:
        signature.bind(json.loads(json.dumps(payload)))
    except InvalidJob:
        return False
    return True


def check(text: str) -> None:
    """It is accepted if and only if the worker can read it, but for NaN as a Decimal."""
    values: dict[str, Any] = dict.fromkeys(("d", "dt", "t", "td", "u", "x", "inf", "either"), text)
    values |= {"days": {text: 1}, "stays": [{"until": text}]}
    for name, value in values.items():
        is_taken = validate_payload(ROW, {name: value}) == []
        assert is_taken == is_read(SIGNATURE, {"inf" if name == "x" else name: value}), name


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_accepted_if_and_only_if_the_worker_can_read_it(text: str) -> None:
    check(text)


@given(ONE_OF_TEXTS)
@settings(max_examples=100, deadline=None)
def test_so_is_any_other(text: str) -> None:
    check(text)


@pytest.mark.parametrize("is_secret", [False, True])
def test_what_the_text_must_be_is_said_without_the_text(is_secret: bool) -> None:
    payload = dict.fromkeys(PROBLEMS, "hunter2")
    found = validate_payload(ROW, payload, is_secret=is_secret)
    assert {one.pointer[9:]: one.detail for one in found} == PROBLEMS


class Leave(BaseModel):
    first: date

    @model_validator(mode="before")
    @classmethod
    def read(cls, given: Any) -> Any:
        return {"first": date(2026, 1, 31)} if given == {"first": "x"} else given


class Booking(BaseModel):
    first: date

    def __init__(self, first: str) -> None:
        super().__init__(first=date.fromisoformat(first.removeprefix("x") or "2026-01-31"))


def read(text: str) -> date:
    return date(2026, 1, 31)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Annotated[date, BeforeValidator(read)], "x"),
        (Annotated[date, PlainValidator(read, json_schema_input_type=date)], "x"),
        (Annotated[str, Field(json_schema_extra={"format": "date"})], "x"),
        (list[OnErrorOmit[date]], ["x"]),
        (date | int, "5"),
        (bool | UUID | None, "yes"),
        (dict[str, timedelta | Annotated[float, Field(ge=0)]], {"a": "1.5_0"}),
        (Leave, {"first": "x"}),
        (Booking, {"first": "x"}),
    ],
)
def test_what_may_be_read_in_another_way_is_accepted(kind: Any, value: Any) -> None:
    def handler(v: Any) -> None: ...

    handler.__annotations__["v"] = kind
    signature, row = told(handler)
    assert is_read(signature, {"v": value})
    assert validate_payload(row, {"v": value}) == []
