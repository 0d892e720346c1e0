"""Read the `env_file` of a program: variables that do not stand in the configuration itself.

Only its path is a setting, so what is in it (passwords, as a rule) is in no dump of the settings
and on no page. It is read again whenever the program is started; the supervisor keeps a digest of
it, so that a reload restarts the program when it has changed.
"""

import hashlib
from pathlib import Path

from orpheus.config.regular_file import read_regular_file
from orpheus.shared.domain.env_file import parse_env_file
from orpheus.shared.errors import ConfigurationError


def check_env_file(path: str) -> None:
    """Raise ConfigurationError, which never quotes the file, unless it holds variables."""
    try:
        parse_env_file(read_regular_file(Path(path)).decode())
    except OSError as error:
        raise ConfigurationError(f"{path!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        what = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigurationError(f"{path!r} does not hold variables: {what}") from error


def env_file_digest(path: str) -> str:
    """Return a text that changes with the file; empty if there is none, or it cannot be read."""
    try:
        return hashlib.sha256(read_regular_file(Path(path))).hexdigest() if path else ""
    except OSError:  # the program says so when it is started
        return ""
