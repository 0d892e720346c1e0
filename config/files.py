"""Read the files that settings name: the configuration, tokens and variables of programs.

The contents of a token file or an `env_file` are never part of the settings, so they appear in no
dump, no handover and no log. Errors do not quote them.
"""

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from orpheus.shared.domain.env_file import parse_env_file
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.resources import folder_of

SCHEMA = "orpheus.schema.json"
SHORTEST_TOKEN = 32
_LONGEST_TOKEN = 4096
_TOKEN = re.compile(r"[!-~]+")  # what a header can carry
_LARGEST_BYTES = 2**20


def read_regular_file(path: Path) -> bytes:
    """Return the content. Raises OSError, also for a file that is too large or not regular."""
    with _opened(path) as fd, os.fdopen(fd, "rb", closefd=False) as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"Is larger than {_LARGEST_BYTES} bytes", str(path))
    return content


def schema_of_settings() -> str:
    """Return the JSON Schema of the configuration, as text."""
    return (folder_of("orpheus.config") / SCHEMA).read_text(encoding="utf-8")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Is not a regular file", str(path))
        yield fd
    finally:
        os.close(fd)


def is_there(path: Path) -> bool:
    """Return whether there is something to read; True also if that cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # reading it will say why
        return True
    return True


FileState = tuple[int, int, int]
"""What changes with every save of a file: its inode, time and size."""


def state_of(path: Path | None) -> FileState | None:
    """Return the state of a file; None if there is none."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return status and (status.st_ino, status.st_mtime_ns, status.st_size)


def etag_of(state: FileState | None) -> str | None:
    """Return a name for the state of a file; None if there is none.

    It is not a digest of the text: with that, a reader of the masks could test guesses of a secret.
    """
    return state and hashlib.sha256(" ".join(map(str, state)).encode()).hexdigest()[:32]


def read_tokens(path: str) -> tuple[str, ...]:
    """Return the token in the file at `path`, and the earlier one if it has two lines.

    Empty for an empty `path`. Raises ConfigurationError.
    """
    if not path:
        return ()
    try:
        with _opened(Path(path)) as fd:
            is_private = not stat.S_IMODE(os.fstat(fd).st_mode) & 0o077
            text = os.read(fd, 2 * _LONGEST_TOKEN + 2).decode("latin-1")
    except OSError as error:
        raise ConfigurationError(f"{path!r} cannot be read: {error.strerror}") from error
    if not is_private:
        reason = f"{path!r} must be a file that its owner alone may read: chmod 600 it"
        raise ConfigurationError(reason)
    tokens = tuple(line.strip() for line in text.strip().split("\n"))
    lengths = range(SHORTEST_TOKEN, _LONGEST_TOKEN + 1)
    if not all(len(token) in lengths and _TOKEN.fullmatch(token) for token in tokens):
        raise ConfigurationError(
            f"{path!r} must hold a token of {SHORTEST_TOKEN} or more characters, printable ASCII "
            "without spaces: openssl rand -hex 32 makes one"
        )
    if len(tokens) > 2:
        raise ConfigurationError(f"{path!r} may hold two lines: the token and the earlier one")
    return tokens


def tokens_digest(paths: Iterable[str]) -> str:
    """Return a text that changes with the tokens in these files, as far as they can be read."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            tokens = read_tokens(path)
        except ConfigurationError:  # the API reports it when it starts
            tokens = ()
        digest.update(f"{path}\0{chr(10).join(tokens)}\0".encode())
    return digest.hexdigest()


def check_env_file(path: str) -> None:
    """Raise ConfigurationError unless the file holds variables."""
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
