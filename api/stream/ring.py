"""The newest frames of the stream, kept for a moment for all who listen.

Each listener is a place in the ring instead of a queue of its own: a thousand of them cost one
copy of what is new. One that stands still is passed by the ring's end, and begins anew; so what a
slow listener can hold back is one frame, and never what the others get.
"""

from collections import deque
from collections.abc import Iterable

from orpheus.api.stream.messages import Frame, Item

_MOST_FRAMES = 240  # at least a minute of them
_MOST_CHARS = 16 * 1_048_576


class Ring:
    """The newest frames. A place counts the frames from the first one ever."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._chars = 0
        self.first = 0
        """The oldest place that still holds a frame; a smaller one is lost."""
        self.begins_after = 0
        """Every stored event after this seq is in a frame here, or not passed on yet."""

    @property
    def end(self) -> int:
        """The place that the next frame will have."""
        return self.first + len(self._frames)

    def begin(self, seq: int) -> None:
        """Forget every frame: the next event is the one after `seq`."""
        self.first = self.end + 1  # whoever stands at the end has missed something too
        self._frames.clear()
        self._chars = 0
        self.begins_after = seq

    def append(self, frame: Frame) -> None:
        """Add the newest frame, and let go of the oldest ones that are too many."""
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

    def at(self, place: int) -> Frame:
        """The frame at a place from `first` on, before `end`."""
        return self._frames[place - self.first]


def _chars(items: Iterable[Item]) -> int:
    return sum(len(item.text) for item in items)
