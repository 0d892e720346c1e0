"""Cursors: where a page of a list ended, as text that the client sends back for the next page."""

import base64
import binascii
from collections.abc import Sequence

from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import FieldProblem


def encode_cursor(numbers: Sequence[int], listed: str) -> str:
    """Return the cursor of what comes after these numbers in a list, or after one number."""
    text = f"{listed} before {' '.join(map(str, numbers))}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, listed: str, count: int = 1) -> tuple[int, ...] | None:
    """Return the numbers after which the next page begins; None without a cursor.

    Raises Refusal (422) for a cursor that `encode_cursor` did not make for this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        numbers = tuple(map(int, text.removeprefix(f"{listed} before ").split(" ")))
    except (binascii.Error, ValueError):
        numbers = ()
    is_valid = len(numbers) == count and all(0 <= number <= LARGEST_ID for number in numbers)
    if not is_valid or not numbers[-1] or encode_cursor(numbers, listed) != cursor:
        raise refused_fields([FieldProblem("/cursor", "is not a next_cursor of this list")])
    return numbers
