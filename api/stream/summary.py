"""What happened between two seqs, in one message: each event if they are few, else their sum."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from orpheus.api.stream.broadcaster import FRAME_BYTES, MOST_BEHIND
from orpheus.api.stream.listener import Position
from orpheus.api.stream.messages import EncodedEvent, Frame, Notice, encode_event
from orpheus.api.stream.progress import Progress, progress_since
from orpheus.shared.domain.events import EventKey
from orpheus.shared.messages.encoding import encode
from orpheus.shared.storage import Store

FEW = 50
"""The most events at once that are sent whole, and the most jobs whose progress is sent."""
_MOST_NEW_JOBS = 20
_MOST_OTHERS = 100
MOST_SUMMARISED = 20_000
_BYTES_OF_EVENTS = FRAME_BYTES // 4  # the ids of jobs need room, too


class Summary(msgspec.Struct, frozen=True):
    """A message about every event after one seq and up to another, and about progress.

    It is for listeners that know all before: the events up to `after`, and the progress `known`.
    """

    epoch: str
    after: int
    known: Progress
    seq: int
    progress: Progress
    """The progress that the listeners know after this message."""
    message: Frame | Notice | None
    """None if nothing happened."""


class Missed(msgspec.Struct, frozen=True):
    """A listener has missed events that can no longer be sent; `oldest` is the oldest seq kept."""

    oldest: int


def summary_after(
    position: Position, known: Progress, newest: Summary | None = None
) -> Callable[[Store], Summary | Missed]:
    """Return a read of what happened after `position` and is not `known`, in one snapshot.

    `newest`: stop where that summary stops, so that the listener can share those that follow it.
    """

    def read(store: Store) -> Summary | Missed:
        events, after = store.events, position.seq
        with store.snapshot():
            epoch, last = events.epoch(), events.last_seq()
            oldest = events.oldest_seq()
            is_known = position.epoch in (None, epoch) and oldest - 1 <= after <= last
            if not is_known or last - after > MOST_BEHIND:
                return Missed(oldest)
            end = last if newest is None else min(max(newest.seq, after), last)
            keys = events.keys(after, end, MOST_SUMMARISED)
            seqs = [key.seq for key in keys]
            found = events.of_seqs(seqs, FRAME_BYTES) if len(seqs) <= FEW else []
            is_whole = len(found) == len(seqs)
            if not is_whole:
                found = events.of_seqs(_telling(keys), _BYTES_OF_EVENTS)
            progress: Progress = known
            changed: Sequence[EncodedEvent] = ()
            if len(keys) < MOST_SUMMARISED:  # else a job may progress whose start is not sent
                until = None if newest is None else newest.progress
                progress, changed = progress_since(store, known, until, FEW)
        seq = seqs[-1] if seqs else after
        frame = Frame(epoch, [encode_event(event) for event in found], changed)
        message: Frame | Notice | None = frame if found or changed else None
        if not is_whole:
            text = encode({"type": "summary", "after": after, "seq": seq, **_summed(keys)})
            message = Notice("summary", f'{text.decode()[:-1]},"events":{frame.list}}}')
        return Summary(epoch, after, known, seq, progress, message)

    return read


def _telling(keys: Iterable[EventKey]) -> list[int]:
    """Return the events that are sent whole, of many: the newest, which tell most."""
    others = [key.seq for key in keys if key.job_id is None]
    newest = {key.job_id: key.seq for key in keys if key.job_id is not None}
    new_jobs = sorted(newest)[-_MOST_NEW_JOBS:]
    return [*others[-_MOST_OTHERS:], *(newest[job_id] for job_id in new_jobs)]


def _summed(keys: Iterable[EventKey]) -> dict[str, object]:
    """Return the number of events by kind and type, and the jobs by the newest kind of each."""
    counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    newest: dict[int, str] = {}
    for _, kind, job_id, job_type in keys:
        if job_id is not None:
            counts[kind.value][job_type or ""] += 1
            newest[job_id] = kind.value
    changed: defaultdict[str, list[int]] = defaultdict(list)
    for job_id in sorted(newest):
        changed[newest[job_id]].append(job_id)
    return {"counts": counts, "changed": {kind: ranges(ids) for kind, ids in changed.items()}}


def ranges(ids: Sequence[int]) -> list[int | list[int]]:
    """Return ascending ids; each run of three or more is a pair of its first and last one."""
    found: list[int | list[int]] = []
    start = 0
    for index in range(1, len(ids) + 1):
        if index == len(ids) or ids[index] != ids[index - 1] + 1:
            run = ids[start:index]
            found += [[run[0], run[-1]]] if len(run) > 2 else run
            start = index
    return found
