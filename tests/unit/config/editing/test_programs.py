"""Programs name code, so no caller of the API can change them, or learn of what they name."""

from pathlib import Path

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.toml import masked
from orpheus.shared.operations.configuration import Edit
from orpheus.shared.storage import state_files

PROGRAM = "[[programs]]\nname = 'web'\nargv = ['rm']\nenv_file = '/etc/shadow'\n"
SECRET = "[[programs]]\nname = 'web'\nargv = ['true']\nenv = { KEY = 'hush' }\n"


def editor(tmp_path: Path, text: str) -> ConfigurationFile:
    path = tmp_path / "orpheus.toml"
    path.write_text(text, encoding="utf-8")
    return ConfigurationFile(path, [], {}, state_files("sqlite:///o.db"))


def test_a_program_is_neither_added_nor_looked_at(tmp_path: Path) -> None:
    planned = editor(tmp_path, "").plan(Edit(PROGRAM, {}), None, lambda _: {})
    assert planned.outcome.refused == ("programs",)
    [problem] = planned.outcome.problems
    assert "names code" in problem.detail and "/etc" not in problem.detail


def test_its_variables_are_masked(tmp_path: Path) -> None:
    shown = editor(tmp_path, SECRET).show()
    assert shown.text is not None and "hush" not in shown.text
    assert "hush" not in str(shown.settings)


def test_the_address_of_a_check_without_a_query_is_shown() -> None:
    text = "[[programs]]\nname = 'x'\nready.http = 'http://h/health'\nalive.http = 'http://h/'\n"
    assert masked(text) == (text, 0)
