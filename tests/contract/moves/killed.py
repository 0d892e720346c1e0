"""What tests of moves share: how one is killed, and who may use a database then."""

from collections.abc import Callable

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store

BACKENDS = ("sqlite", "postgresql")


class Killed(BaseException):
    """In place of SIGKILL: what was not committed is not there."""


def die(*_: object) -> None:
    """Die in place of what was called."""
    raise Killed


def can_start(opened: Callable[..., Store], url: str) -> bool:
    try:
        opened(url).close()
    except DatabaseUnusable:
        return False
    return True
