"""Cursors: where a page of a list ended, as text that the client sends back for the next page."""

import base64
import binascii
from collections.abc import Sequence

from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import FieldProblem


def encode_cursor(place: Sequence[int], listed: str) -> str:
    """Return the cursor of what comes after a place in a list, which is one number or several."""
    text = f"{listed} before {' '.join(map(str, place))}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, listed: str, numbers: int = 1) -> tuple[int, ...] | None:
    """Return the place where the next page begins; None without a cursor.

    Raises Refusal (422) for a cursor that `encode_cursor` did not make for this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        place = tuple(map(int, text.removeprefix(f"{listed} before ").split(" ")))
    except (binascii.Error, ValueError):
        place = ()
    is_place = len(place) == numbers and all(0 <= number <= LARGEST_ID for number in place)
    if not is_place or not place[-1] or encode_cursor(place, listed) != cursor:
        raise refused_fields([FieldProblem("/cursor", "is not a next_cursor of this list")])
    return place
