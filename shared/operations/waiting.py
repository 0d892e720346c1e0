"""Wait for the server of a database when a program starts: both may have been started at once."""

import time
from collections.abc import Callable
from typing import TypeVar

from orpheus.shared.errors import DatabaseAway
from orpheus.shared.logs import get_logger

_RETRY_S = 0.5
_LOG_EVERY_S = 10.0
_T = TypeVar("_T")

log = get_logger()


def once_it_answers(call: Callable[[], _T]) -> _T:
    """Return what `call` returns; while it raises DatabaseAway, log why and call it again."""
    log_at_s = float("-inf")
    while True:
        try:
            return call()
        except DatabaseAway as error:
            now_s = time.monotonic()
            if now_s >= log_at_s:
                log_at_s = now_s + _LOG_EVERY_S
                log.warning("database_away", reason=str(error), note="waiting for it")
        time.sleep(_RETRY_S)
