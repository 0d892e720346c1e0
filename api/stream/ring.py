"""The newest frames of the stream, shared by all listeners.

A listener has a position in the ring instead of a queue of its own, so a thousand listeners need
one copy of what is new. When the ring drops a frame that a slow listener has not read, that
listener starts over; the others do not notice.
"""

from collections import deque
from collections.abc import Iterable

from orpheus.api.stream.messages import EncodedEvent, Frame

_MOST_FRAMES = 240  # at least a minute of them
_MOST_CHARS = 4 * 1_048_576  # a second and a half of 2,000 jobs a second; with its objects, 7 MB


class Ring:
    """The newest frames. A position is the number of a frame, counted from the first one ever."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._chars = 0
        self.first = 0
        """The oldest position that still holds a frame."""
        self.begins_after = 0
        """Every stored event after this seq is in a frame here, or not passed on yet."""

    @property
    def end(self) -> int:
        """The position that the next frame will have."""
        return self.first + len(self._frames)

    def begin(self, seq: int) -> None:
        """Drop every frame; the next event is the one after `seq`."""
        self.first = self.end + 1  # so that a listener at the end starts over as well
        self._frames.clear()
        self._chars = 0
        self.begins_after = seq

    def append(self, frame: Frame) -> None:
        """Add the newest frame, and drop the oldest ones beyond the limits."""
        self._frames.append(frame)
        self._chars += _chars(frame.events) + _chars(frame.progress)
        while len(self._frames) > _MOST_FRAMES or self._chars > _MOST_CHARS:
            if len(self._frames) == 1:
                break
            oldest = self._frames.popleft()
            self._chars -= _chars(oldest.events) + _chars(oldest.progress)
            self.first += 1
            if oldest.events:
                self.begins_after = oldest.events[-1].seq or self.begins_after

    def at(self, position: int) -> Frame:
        """Return the frame at a position from `first` on, before `end`."""
        return self._frames[position - self.first]


def _chars(events: Iterable[EncodedEvent]) -> int:
    return sum(len(event.text) for event in events)
