"""Write files completely or not at all, and replace the configuration file."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from orpheus.shared.process.files import sync_folder


@contextlib.contextmanager
def new_file(target: Path, content: bytes) -> Iterator[Path]:
    """Write a new file beside `target`, with its owner and mode, and yield its path.

    If there is no `target`, only its owner can read it, as it may have secrets. It is on the disk
    inside the block, and deleted afterwards if it still has that path. Raises OSError.
    """
    try:
        like = target.stat()
    except FileNotFoundError:
        like = None
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, like.st_uid, like.st_gid)
                os.fchmod(fd, like.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(fd)
        yield path
    finally:
        path.unlink(missing_ok=True)


def replace_file(target: Path, new: Path, expected: bytes | None, backup: Path) -> bool:
    """Put `new` in the place of `target`, and what was there in the place of `backup`.

    Return False, and change nothing, if the target does not contain `expected` (None: there is no
    file) any more. Raises OSError.
    """
    if expected is None:
        try:
            os.link(new, target)
        except FileExistsError:
            return False
    else:
        with contextlib.suppress(FileNotFoundError):
            backup.unlink()
        os.link(target, backup)
        if backup.read_bytes() != expected:  # an editor may be writing in place
            return False
        new.replace(target)
    sync_folder(target.parent)
    return True
