"""Twenty-one files as public projects have them: what became of each of their lines.

Beside each file stands the TOML that is printed for it, in which each line is an entry or a comment
that says why it is none.
"""

import re
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.supervisor.importing.imported import FileLine, SourceFile
from orpheus.supervisor.importing.toml import to_toml
from tests.unit.supervisor.importing.converted import FILES, NAMES, converted, sources

_SECTION = re.compile(r"\[([^]]+)\]")


def test_there_are_twenty_files_of_all_kinds() -> None:
    kinds = [re.split("[-.]", name)[0] for name in NAMES]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Procfile": 6,
        "crontab": 7,
        "supervisord": 7,
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_toml_is_the_one_beside_the_file(name: str) -> None:
    expected = (FILES / f"{name}.toml").read_text(encoding="utf-8")
    assert to_toml(converted(name), name) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_toml_loads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").touch()
    Path("orpheus.toml").write_text(to_toml(converted(name), name), encoding="utf-8")
    settings = load_settings(Path("orpheus.toml"), (), {})
    made = [one.name for one in settings.commands] + [one.name for one in settings.schedules]
    assert made + [one.name for one in settings.programs] == [
        one.values["name"]
        for table in ("commands", "schedules", "programs")
        for one in converted(name).entries()
        if one.table == table
    ]
    assert {one.type for one in settings.schedules} == {one.name for one in settings.commands}


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_dropped_without_a_word(name: str) -> None:
    imported = converted(name)
    told = {position for entry in imported.entries() for position in entry.positions}
    told |= {left.position for left, _ in imported.left()}
    whole_sections = {left.position for left, entry in imported.left() if entry is None}
    silent = [
        str(position)
        for source in sources(name)
        for position in _lines_that_say_something(source, whole_sections)
        if position not in told
    ]
    assert silent == []


def _lines_that_say_something(source: SourceFile, whole_sections: set[FileLine]) -> list[FileLine]:
    """The lines but for comments, and but for a section whose header stands for all of it."""
    found, is_whole = [], False
    for number, line in enumerate(source.text.split("\n"), 1):
        position = FileLine(source.name, number)
        if header := _SECTION.match(line):
            is_whole = position in whole_sections
            if header[1] in ("include", "supervisord"):
                continue
        is_continued = line.startswith(" ") and source.name.startswith("supervisord")
        is_comment = not line.strip() or line.lstrip().startswith(("#", ";"))
        if not (is_comment or is_continued or is_whole):
            found.append(position)
    return found
