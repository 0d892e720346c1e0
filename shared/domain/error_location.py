"""Where an error was raised, read from its traceback. Pure."""

import re

MOST_CHARS = 200
"""Of a location, and of the name of an error: both are in an index, whose entries have a limit."""

_FRAME = re.compile(
    r'^(?P<before>[ |]*)File "(?P<file>.*)", line (?P<line>\d+), in (?P<name>.+)$', re.MULTILINE
)


def location_of(traceback: str | None) -> str:
    """Return the last frame of a traceback as `jobs.py:12 in resize`; empty if it has none.

    Of an exception group, the frame that raised the group. What a dead worker was doing, which
    begins with the newest frame and is written in another form, is no location.
    """
    frames = list(_FRAME.finditer(traceback or ""))
    if not frames:
        return ""
    outermost = min(len(frame["before"]) for frame in frames)
    last = next(one for one in reversed(frames) if len(one["before"]) == outermost)
    file = last["file"].rpartition("/")[2]
    return f"{file}:{last['line']} in {last['name']}"[:MOST_CHARS]
