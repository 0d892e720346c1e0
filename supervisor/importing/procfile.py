"""Procfile -> a `[[programs]]` entry for each process type."""

import re

from orpheus.supervisor.importing.command import (
    NEEDS_FIRST_LINE,
    UniqueNames,
    as_name,
    lasting_argv_of,
    without_cd,
)
from orpheus.supervisor.importing.imported import Entry, Imported, Left, SourceFile

_FIRST_PORT, _PORT_STEP = 5000, 100
"""The ports that foreman gives: the first process type has 5000, the next one 5100."""
_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
_NOTES = (
    "foreman ends all processes when one ends. Orpheus restarts the process that ended.",
    "How many of each: instances, instead of foreman start -m web=2.",
    "Where sh runs several commands, put exec before the last: it gets the stop signal then.",
    NEEDS_FIRST_LINE,
)


def convert(source: SourceFile, folder: str = "", env_file: str = "") -> Imported:
    """Return a program for each process type. It runs in `folder`; "": where Orpheus runs.

    `env_file`: the path of the file `.env` beside the Procfile, if it is there.
    """
    items: list[Entry | Left] = []
    names = UniqueNames("default")  # the pool that is there without any configuration
    port = _FIRST_PORT
    for number, raw in enumerate(source.text.split("\n"), 1):
        line, where = raw.strip(), f"{source.name}:{number}"
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            items.append(Left(where, line, "is not a name, a colon and a command"))
        elif found[1] == "release":
            items.append(Left(where, line, "run it when you deploy"))
        else:
            below, command = without_cd(found[2])
            values = {
                "name": names.unique(as_name(found[1])),
                "argv": lasting_argv_of(command),
                "cwd": "/".join(filter(None, (folder, below))) if below[:1] != "/" else below,
                "env": {"PORT": str(port)},
                "env_file": env_file,
            }
            values = {key: value for key, value in values.items() if value}
            items.append(Entry("programs", values, f"line {number}: {line}"))
            port += _PORT_STEP
    return Imported(items, _NOTES)
