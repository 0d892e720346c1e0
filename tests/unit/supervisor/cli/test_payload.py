"""The fields of a payload as they are typed."""

import enum
from decimal import Decimal
from typing import Any

import pytest

from orpheus.shared.job_types.signatures import Signature
from orpheus.supervisor.cli.payload import payload_of


class _Size(enum.Enum):
    SMALL = "1"


def _parcel(
    phone: str | None,
    price: Decimal,
    size: _Size | None = None,
    weight: float = 1,
    anything: Any = None,
    mixed: int | list[int] | str = 0,
) -> None:
    """Are the kinds of fields that a signature can have."""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone=49170", "49170"),
        ("phone=null", None),
        ("phone=[1]", "[1]"),
        ("price=1.10", "1.10"),
        ("size=1", "1"),
        ("weight=1.10", 1.1),
        ("anything=1e3", "1e3"),
        ("anything=1000", 1000),
        ("anything=NaN", "NaN"),
        ('anything={"a": 1}', {"a": 1}),
        ("mixed=7", 7),
        ("mixed=007", "007"),
        ("mixed=[1,  2]", [1, 2]),
        ('mixed="7"', "7"),
        ("mixed=true", "true"),
    ],
)
def test_a_number_is_kept_as_text_where_the_field_may_be_text_and_it_would_change(
    field: str, value: object
) -> None:
    schema = Signature(_parcel).schema("parcel")
    assert payload_of((field,), schema) == {field.partition("=")[0]: value}
