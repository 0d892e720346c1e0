"""Cursors: where a page of a list ended, as text that the client sends back for the next page."""

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol, TypeVar

from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import FieldProblem


class _Row(Protocol):
    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=_Row)


def cursor_after(rows: Sequence[Row], listed: str, *, has_more: bool) -> str | None:
    """Return the cursor of the page after `rows`; None if there is none."""
    return encode_cursor(rows[-1].id, listed) if has_more else None


def split_page(rows: Sequence[Row], limit: int, listed: str) -> tuple[Sequence[Row], str | None]:
    """Return the first `limit` rows, and the cursor of the next page if there are more rows.

    `listed` names the list; the cursor is valid for this list only.
    """
    shown = rows[:limit]
    return shown, encode_cursor(shown[-1].id, listed) if len(rows) > limit else None


def encode_cursor(last_id: int, listed: str) -> str:
    """Return the cursor of what comes after `last_id` in a list, newest first."""
    return base64.urlsafe_b64encode(f"{listed} before {last_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, listed: str) -> int | None:
    """Return the id that the next page lies below; None without a cursor.

    Raises Refusal (422) for a cursor that `encode_cursor` did not make for this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        before_id = int(text.removeprefix(f"{listed} before "))
    except (binascii.Error, ValueError):
        before_id = 0
    if not 1 <= before_id <= LARGEST_ID or encode_cursor(before_id, listed) != cursor:
        raise refused_fields([FieldProblem("/cursor", "is not a next_cursor of this list")])
    return before_id
