"""A job type whose payload has every shape that a form must know."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from orpheus import job


class Speed(StrEnum):
    """How it is sent."""

    SLOW = "slow"
    FAST = "fast"


class Address(BaseModel):
    """Where to."""

    street: Annotated[str, Field(min_length=1, description="with the number")]
    city: str = "Vienna"


class Parcel(BaseModel):
    """What is sent."""

    weight_kg: Annotated[float, Field(gt=0, le=30)]
    contents: list[str] = []


class ByCard(BaseModel):
    """A card."""

    by: Literal["card"]
    number: int


class ByInvoice(BaseModel):
    """An invoice."""

    by: Literal["invoice"]
    to: Address


class Note(BaseModel):
    """A note, and notes on it."""

    text: str
    replies: "list[Note]" = []


@job
def ship(
    to: Address,
    parcels: list[Parcel],
    pay: ByCard | ByInvoice,
    speed: Speed = Speed.SLOW,
    on: date | None = None,
    at: datetime | None = None,
    insured: bool = False,
    reference: int | str | None = None,
    back_to: Address | None = None,
    serial: int = 2**60,
    labels: dict[str, str] = {},  # noqa: B006 - the default is shown
    note: Note | None = None,
) -> dict[str, Any]:
    """Ship parcels."""
    return {"parcels": len(parcels), "to": to.city, "serial": serial, "by": pay.by}
