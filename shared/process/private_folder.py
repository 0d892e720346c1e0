"""Make a folder that only its owner may write: for a database, or for this host's files of one."""

from pathlib import Path

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.folders import make_folder
from orpheus.shared.process.mapped_file import cannot_make


def refuse_link(folder: Path) -> None:
    """Raise DatabaseUnusable if a folder is a symbolic link: somebody else may have made it."""
    if folder.is_symlink():
        raise DatabaseUnusable(f"{folder} is a symbolic link; refusing to keep jobs there")


def make_private_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it.

    Raises DatabaseFull if the disk has no room for it, and DatabaseUnusable if it cannot be made
    for another reason, or if everyone can write to it.
    """
    try:
        make_folder(folder)
        is_open_to_all = folder.stat().st_mode & 0o002
    except OSError as error:
        raise cannot_make(folder, error) from error
    if is_open_to_all:
        raise DatabaseUnusable(f"{folder} is writable by everyone; refusing to keep jobs there")
