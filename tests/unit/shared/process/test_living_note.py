"""A note of a process counts only while it runs."""

import json
import os
from pathlib import Path

from orpheus.shared.process.living_note import read_note, write_note

MINE = {os.geteuid()}


def test_a_note_is_read_while_its_writer_runs(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert read_note(path, MINE) is None
    write_note(path, {"is": 1})
    write_note(path, {"is": 2})
    note = read_note(path, MINE)
    assert note is not None and (note["is"], note["pid"]) == (2, os.getpid())
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_note_of_another_process_of_this_pid_or_of_another_boot_does_not_count(
    tmp_path: Path,
) -> None:
    path = tmp_path / "note.json"
    write_note(path, {})
    note = json.loads(path.read_text())
    for other in ({"created_s": note["created_s"] - 1}, {"boot_id": "another"}, {"pid": None}):
        path.write_text(json.dumps({**note, **other}))
        assert read_note(path, MINE) is None, other
    path.write_text(json.dumps(note))
    assert read_note(path, MINE) is not None


def test_a_note_of_a_user_who_is_not_trusted_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    write_note(path, {})
    assert read_note(path, MINE) is not None
    assert read_note(path, {65_533}) is None
