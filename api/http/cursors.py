"""Where a page of a list ended, as text that a client hands back and cannot make up by accident."""

import base64
import binascii

from orpheus.api.contract.schemas import LARGEST_ID
from orpheus.api.http.problems import refused_fields
from orpheus.shared.errors import FieldProblem


def cursor_of(last_id: int, listed: str) -> str:
    """Leads to what comes after `last_id` in the list called `listed`, newest first."""
    return base64.urlsafe_b64encode(f"{listed} before {last_id}".encode()).decode().rstrip("=")


def before_id_of(cursor: str | None, listed: str) -> int | None:
    """The id that the next page lies below; None without a cursor.

    Raises Refusal (422) for what `cursor_of` did not give for this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        before_id = int(text.removeprefix(f"{listed} before "))
    except (binascii.Error, ValueError):
        before_id = 0
    if not 1 <= before_id <= LARGEST_ID or cursor_of(before_id, listed) != cursor:
        raise refused_fields([FieldProblem("/cursor", "is not a next_cursor that this list gave")])
    return before_id
