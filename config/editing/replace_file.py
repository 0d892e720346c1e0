"""Replaces a file so that whoever reads it finds the old content or the new one, never a part."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes, backup: Path | None = None) -> None:
    """Give `path` this content, with its mode and owner as before; `backup` gets the old one.

    A link is followed: what it points to is replaced. Raises OSError; then nothing was changed,
    but for the backup.
    """
    target = path.resolve()
    if backup is not None:
        _put(backup, target.read_bytes(), like=target)
    _put(target, content, like=target)


def _put(path: Path, content: bytes, *, like: Path) -> None:
    """Raises OSError if it cannot be written, or not for the owner that `like` has."""
    wanted = like.stat()
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            if (wanted.st_uid, wanted.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(fd, wanted.st_uid, wanted.st_gid)
            os.fchmod(fd, wanted.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(fd)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
