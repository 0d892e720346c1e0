"""Which limits hold back the due jobs of a queue, in the words of its row. Pure.

The rule is that of one job (shared/domain/why.py), without the jobs that go before it.
"""

from typing import NamedTuple

from orpheus.shared.domain.rates import KeyRules, Rate
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.why import Code

_WORDS = {
    Code.QUEUE_LIMIT: "max_running",
    Code.QUEUE_RATE: "rate",
    Code.KEY_LIMIT: "max_running per key",
    Code.KEY_RATE: "rate per key",
}


class Limited(NamedTuple):
    """The limits that hold a queue back; `next_ms`: when the next job may start, if it is known."""

    by: tuple[Code, ...]
    next_ms: int | None = None

    @property
    def text(self) -> str:
        """A clause: "held by its rate"."""
        return f"held by its {' and its '.join(_WORDS[one] for one in self.by)}"

    @property
    def note(self) -> str:
        """The same in few words: "rate"."""
        return " and ".join(_WORDS[one] for one in self.by)


class WaitingKeys(NamedTuple):
    """The keys for whose room jobs of a queue wait."""

    full: bool
    """Some run as many jobs as a key may."""
    others: bool
    """Some do not: what they wait for is their rate."""


def limited_by_queue(room: Room) -> Limited | None:
    """Return what holds every job of a queue back."""
    by = (Code.QUEUE_LIMIT,) if room.is_full else ()
    if room.is_spent and _is_slow(room.rate):
        by = (*by, Code.QUEUE_RATE)
    return Limited(by, None if room.is_full else room.opens_ms) if by else None


def limited_by_keys(rules: KeyRules, keys: WaitingKeys, opens_ms: int | None) -> Limited | None:
    """Return what holds back a queue if all its due jobs wait for room of their key.

    `opens_ms`: when the first rate of a key opens, if that is known. A job that runs may end and
    make room before that.
    """
    if keys.others and not _is_slow(rules.rate):
        return None
    by = (Code.KEY_LIMIT,) if keys.full else ()
    if _is_slow(rules.rate) and (keys.others or opens_ms is not None):
        by = (*by, Code.KEY_RATE)
    return Limited(by, opens_ms if by == (Code.KEY_RATE,) else None) if by else None


def _is_slow(rate: Rate | None) -> bool:
    """Return whether a rate makes a queue stand still; one of several starts a second does not."""
    return rate is not None and rate.per_s <= 1
