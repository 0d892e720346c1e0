"""Read the file that holds the API's token.

Only the file's path is a setting, so the token itself is in no dump of the settings, no handover
and no log. The API reads it when it starts. The supervisor keeps a digest of it, so that a reload
replaces the API when the token changes.
"""

import hashlib
import os
import re
import stat
from pathlib import Path

from orpheus.config.regular_file import open_regular_file
from orpheus.shared.errors import ConfigurationError

SHORTEST_TOKEN = 32
_LONGEST_TOKEN = 4096
_TOKEN = re.compile(r"[!-~]+")  # what a header can carry


def read_token(path: str) -> str | None:
    """Return the token in the file at `path`; None for an empty `path`.

    Raises ConfigurationError, whose text never quotes the file's content.
    """
    if not path:
        return None
    try:
        with open_regular_file(Path(path)) as fd:
            is_private = not stat.S_IMODE(os.fstat(fd).st_mode) & 0o077
            token = os.read(fd, _LONGEST_TOKEN + 1).decode("latin-1").strip()
    except OSError as error:
        raise ConfigurationError(f"{path!r} cannot be read: {error.strerror}") from error
    if not is_private:
        reason = f"{path!r} must be a file that its owner alone may read: chmod 600 it"
        raise ConfigurationError(reason)
    if not SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            f"{path!r} must hold a token of {SHORTEST_TOKEN} or more characters, printable ASCII "
            "without spaces: openssl rand -hex 32 makes one"
        )
    return token


def token_digest(path: str) -> str:
    """Return a text that changes with the token; empty if there is none, or none can be read."""
    try:
        token = read_token(path)
    except ConfigurationError:  # the API reports it when it starts
        token = None
    return hashlib.sha256(token.encode()).hexdigest() if token else ""
