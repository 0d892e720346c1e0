"""Where the files are that a package brings along.

`importlib.resources` finds them in a zip file, too, and for that imports what unpacks one, which
takes 15 ms in each process. Orpheus is never run from a zip file.
"""

from importlib import import_module
from pathlib import Path


def folder_of(package: str) -> Path:
    """Return the folder of a package."""
    return Path(*import_module(package).__path__)
