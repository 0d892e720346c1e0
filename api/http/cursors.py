"""Cursors: where a page of a list ended, as text that the client sends back for the next page."""

import base64
import binascii

from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import FieldProblem


def encode_cursor(number: int, listed: str) -> str:
    """Return the cursor of what comes after this number in a list."""
    text = f"{listed} before {number}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, listed: str) -> int | None:
    """Return the number after which the next page begins; None without a cursor.

    Raises Refusal (422) for a cursor that `encode_cursor` did not make for this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        number = int(text.removeprefix(f"{listed} before "))
    except (binascii.Error, ValueError):
        number = 0
    if not 1 <= number <= LARGEST_ID or encode_cursor(number, listed) != cursor:
        raise refused_fields([FieldProblem("/cursor", "is not a next_cursor of this list")])
    return number
