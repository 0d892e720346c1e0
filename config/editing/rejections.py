"""Notes which versions the supervisor has rejected: a text may be valid, and its port in use.

A text that an editor has saved is no version yet when it is rejected. Its number is known all the
same: it is kept under the next one before anything else is.
"""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from orpheus.config.editing.replace_file import written_file

_NAME = ".rejected"
_MOST = 50


class Rejections:
    """A file beside the versions with the numbers of those that were rejected, and why.

    With each number is a digest of its text: another text may get the number after all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def why(self, number: int, text: str) -> str | None:
        """Return why the version of this number and text was rejected; None: it was not."""
        digest, reason = self._read().get(number, (None, ""))
        return reason if digest == _digest(text) else None

    def note(self, number: int, text: str, reason: str) -> None:
        """Note why a version was rejected. Raises OSError."""
        self._write({**self._read(), number: (_digest(text), reason)})

    def forget(self, number: int) -> None:
        """Note that a version was taken after all. Raises OSError."""
        noted = self._read()
        if noted.pop(number, None) is not None:
            self._write(noted)

    def _read(self) -> dict[int, tuple[str, str]]:
        try:
            noted = json.loads((self._folder / _NAME).read_bytes())
            return {int(number): _digest_and_reason(one) for number, one in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, noted: dict[int, tuple[str, str]]) -> None:
        newest = dict(sorted(noted.items())[-_MOST:])
        new = self._folder / f".{secrets.token_hex(8)}.new"
        with written_file(new, json.dumps(newest).encode()):
            new.replace(self._folder / _NAME)


def _digest_and_reason(noted: Any) -> tuple[str, str]:
    """Return both; earlier versions of Orpheus have noted the digest alone."""
    digest, reason = (noted, "") if isinstance(noted, str) else noted
    return digest, reason


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
