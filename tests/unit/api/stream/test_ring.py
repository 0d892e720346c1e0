"""The ring of the stream's newest frames."""

import pytest

from orpheus.api.stream import ring
from orpheus.api.stream.messages import EncodedEvent, Frame


def frame(seq: int, stored: int, progress: int = 0) -> Frame:
    """A frame with an event of so many characters, and one of progress."""
    events = [EncodedEvent(seq, 1, "job.done", "x" * stored)] if stored else []
    unstored = [EncodedEvent(None, 1, "job.progress", "x" * progress)] if progress else []
    return Frame("epoch", events, unstored)


def test_the_oldest_frames_are_dropped_once_there_are_too_many_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ring, "_MOST_CHARS", 100)
    frames = ring.Ring()
    frames.append(frame(1, 30))
    frames.append(frame(2, 20, 20))
    frames.append(frame(3, 0, 30))
    assert (frames.first, frames.end, frames.begins_after) == (0, 3, 0)
    frames.append(frame(4, 31))
    assert (frames.first, frames.end, frames.begins_after) == (2, 4, 2)
    assert frames.at(2).events == []
