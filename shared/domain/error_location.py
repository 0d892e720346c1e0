"""Where an error was raised, read from its traceback. Pure."""

import re

from orpheus.shared.domain.stacks import job_only

MOST_CHARS = 200
"""The longest location or error name: both are in an index, whose entries have a limit."""

_BEGINNING = re.compile(
    r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):", re.MULTILINE
)
"""Where a traceback begins that is in no exception group."""
_LIBRARY = re.compile(r"^<|/(?:site|dist)-packages/|/lib(?:64)?/python3[\d.]*/")
"""Files of packages that were installed, of Python itself, and code that has no file."""
_PACKAGE = re.compile(r".*/(?:site|dist)-packages/[^/]+")
_FRAME = re.compile(
    r'^(?P<before>[ |]*)File "(?P<file>.*)", line (?P<line>\d+), in (?P<name>.+)$', re.MULTILINE
)
_DUMPED_FRAME = re.compile(
    r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.+)$', re.MULTILINE
)


def location_of(traceback: str | None) -> str:
    """Return the application's last frame in a traceback as `jobs.py:12 in resize`; empty: none.

    A library that many jobs call raises at the same lines for all of them, so its frames count only
    if there are no others. Of an exception group, it is where the group was raised. Of what a dead
    worker was doing, which begins with the newest frame, it is the first outside libraries.
    """
    text = traceback or ""
    frames = list(_FRAME.finditer(text))
    if not frames:
        dumped = _DUMPED_FRAME.finditer(job_only(text))
        return next((_named(frame) for frame in dumped if not _LIBRARY.search(frame["file"])), "")
    # What was handled before, or is the cause, has a traceback of its own.
    start = max(
        (match.start() for match in _BEGINNING.finditer(text, 0, frames[-1].start())), default=0
    )
    frames = [place for place in frames if place.start() >= start]
    outermost = min(len(frame["before"]) for frame in frames)
    return _named(_of_application([place for place in frames if len(place["before"]) == outermost]))


def _named(frame: re.Match[str]) -> str:
    file = frame["file"].rpartition("/")[2]
    return f"{file}:{frame['line']} in {frame['name']}"[:MOST_CHARS]


def _of_application(frames: list[re.Match[str]]) -> re.Match[str]:
    """Return the last frame outside libraries, else the last of the first frame's package.

    The application itself may be installed, and then the job's function, the first frame, is in it.
    """
    own = [place for place in frames if not _LIBRARY.search(place["file"])]
    if not own:
        package = _package_of(frames[0])
        own = [place for place in frames if package and _package_of(place) == package]
    return (own or frames)[-1]


def _package_of(frame: re.Match[str]) -> str:
    """Return the folder of the installed package that a frame is in; empty: it is in none."""
    found = _PACKAGE.match(frame["file"])
    return found[0] if found else ""
