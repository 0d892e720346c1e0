"""What a commit tells other hosts, as the text of a NOTIFY, and how often one is sent.

Each NOTIFY takes a lock that the whole server has once. So a process sends the same news once in
a while, and who hears of something looks again a little later (listening.py): what was committed in
the meantime was not announced.
"""

import hashlib
import json
from collections.abc import Sequence

from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.host import own_host
from orpheus.shared.storage.at_commit import AtCommit

CHANNEL = "orpheus"
WORK_EVERY_S = 0.02
_NEWS_EVERY_S = 0.1
_MOST_QUEUES = 50  # a payload has less than 8,000 bytes
_NOBODY = ""
"""A sender that is no process."""


def sender_of(bells: str) -> str:
    """Return the name of those who ring the same bells, which are in a folder of this host."""
    text = f"{SystemClock().boot_id} {own_host()} {bells}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


class Notices:
    """Remembers what one connection has sent lately."""

    def __init__(self, sender: str) -> None:
        """`sender`: see `sender_of`."""
        self._sender = sender
        self._sent_s: dict[str, float] = {}

    def payload(self, committed: AtCommit, now_s: float) -> str | None:
        """Return what to send after this commit (time.monotonic); None: nothing that is due."""
        queues = _queues(committed)
        due = [name for name in queues if self._is_due(f"queue {name}", now_s, WORK_EVERY_S)]
        has_news = committed.has_news and self._is_due("news", now_s, _NEWS_EVERY_S)
        if not (due or has_news or committed.has_request):
            return None
        return _text(self._sender, due, has_news, committed.has_request)

    def _is_due(self, what: str, now_s: float, every_s: float) -> bool:
        if now_s - self._sent_s.get(what, -every_s) < every_s:
            return False
        if len(self._sent_s) > _MOST_QUEUES:
            self._sent_s.clear()
        self._sent_s[what] = now_s
        return True


def notice_of(committed: AtCommit) -> str | None:
    """Return what to send in a transaction of an application; None: nothing.

    Everything is sent, because nobody knows when the application commits and what others commit
    until then. The notice also reaches its own host, where no bell was rung.
    """
    if not (committed.queues_with_work or committed.has_news or committed.has_request):
        return None
    return _text(_NOBODY, _queues(committed), committed.has_news, committed.has_request)


def _queues(committed: AtCommit) -> list[str]:
    queues = sorted(committed.queues_with_work)
    return queues if len(queues) <= _MOST_QUEUES else [EVERY_QUEUE]


def _text(sender: str, queues: Sequence[str], has_news: bool, has_request: bool) -> str:
    return json.dumps([sender, queues, has_news, has_request])


def heard(payload: str, sender: str) -> AtCommit | None:
    """Return what another host has committed; None if it was this one, or the text is not ours."""
    try:
        other, queues, has_news, has_request = json.loads(payload)
        if other == sender:
            return None
        return AtCommit(
            queues_with_work={str(name) for name in queues},
            has_news=bool(has_news),
            has_request=bool(has_request),
        )
    except (TypeError, ValueError):
        return None
