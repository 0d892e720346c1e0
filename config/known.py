"""Takes what commands need of the settings from a running supervisor that was given the same.

To import the models of the settings and to check them is most of a command's time. So a supervisor
keeps what commands need beside those that it works by, with a digest of what its file, variables
and `--set` said. A command that is given exactly the same takes that. One that is given something
else, or while no supervisor runs, reads and checks its settings itself.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orpheus.config.sources import Sources
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.process.living_note import read_note

_DATABASE = {"url": "sqlite:///data/orpheus.db", "state_dir": ""}
"""The defaults of what tells where a supervisor keeps this; a test compares them."""


def digest_of(sources: Sources) -> str:
    """Return a digest of the values of each source; not of how and in which order it says them."""
    said = json.dumps([one for one in sources.layers if one], sort_keys=True, default=repr)
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def named_database(sources: Sources) -> tuple[str, str] | None:
    """Return `url` and `state_dir` of [database] as they were set; None if one is no text."""
    found: dict[str, Any] = dict(_DATABASE)
    for layer in sources.layers:
        table = layer.get("database", {})
        if not isinstance(table, Mapping):
            return None
        found.update({key: table[key] for key in _DATABASE if key in table})
    url, state_dir = found.values()
    return (url, state_dir) if isinstance(url, str) and isinstance(state_dir, str) else None


def known_handover(path: Path, sources: Sources) -> CommandLineHandover | None:
    """Return what the supervisor that runs keeps at `path`; None if it was given anything else."""
    if sources.problems:
        return None
    note = read_kept(path, of_owner=path.parent)  # who can replace the database itself
    try:
        kept = (note or {})["commands"]
        is_same = kept["given"] == digest_of(sources)
        return msgspec.convert(kept["handover"], CommandLineHandover) if is_same else None
    except (KeyError, TypeError, msgspec.ValidationError):  # of another version
        return None


def read_kept(path: Path, of_owner: str | Path | None) -> dict[str, Any] | None:
    """Return what a running supervisor keeps at `path`.

    It must have been written by this user, or by the owner of the file or folder `of_owner`.
    """
    return read_note(path, {os.geteuid(), *([] if of_owner is None else _owner_of(of_owner))})


def _owner_of(path: str | Path) -> list[int]:
    """Return the owner of a file; nobody if there is none."""
    try:
        return [Path(path).stat().st_uid]
    except OSError:
        return []
