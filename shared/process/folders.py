"""Make folders that only their owner may use, whatever the umask."""

from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it. Raises OSError.

    Path.mkdir with `parents` would make those above it by the umask alone.
    """
    for above in reversed(folder.parents):
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
