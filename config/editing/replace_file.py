"""Replace a file so that a reader finds the old content or the new one, never a part."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, content: bytes, backup: Path | None = None) -> None:
    """Write the content to `path`, with the same mode and owner; the old one goes to `backup`.

    If `path` is a link, its target is replaced. Raises OSError; then nothing but the backup was
    changed.
    """
    target = path.resolve()
    if backup is not None:
        _put(backup, target.read_bytes(), like=target)
    _put(target, content, like=target)


def _put(path: Path, content: bytes, *, like: Path) -> None:
    """Write a file with the owner and mode of `like`. Raises OSError if that is not possible."""
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
