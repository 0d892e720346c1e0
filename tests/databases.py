"""New databases, as copies of one: each test would otherwise pay for every migration."""

import tempfile
from functools import cache

from orpheus.shared.storage import database_path, open_store


@cache
def _new_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/data/orpheus.db"
        open_store(url, create=True).close()
        return database_path(url).read_bytes()


def make_database(url: str) -> None:
    """Make the database as its first opening would leave it, unless it is there."""
    path = database_path(url)
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(_new_file())
