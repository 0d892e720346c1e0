"""Settings that an edit cannot change: those of the file itself, and what something else sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.operations.configuration import Edit, EditOutcome
from orpheus.shared.storage import state_files

FIXED = "cannot be changed here, as it {}: change it in the file on the machine"
CODE = FIXED.format("names code")
OTHERS = {"ORPHEUS_POOLS__DEFAULT__WORKERS": "2", "ORPHEUS_DATABASE__URL": "sqlite:///z.db"}


def outcome(
    tmp_path: Path,
    text: str,
    new: str,
    environ: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
) -> EditOutcome:
    path = tmp_path / "orpheus.toml"
    path.write_text(text, encoding="utf-8")
    return (
        ConfigurationFile(path, sets, environ or {}, state_files("sqlite:///o.db"))
        .plan(Edit(new), None, lambda _: {})
        .outcome
    )


def test_they_are_told_in_the_order_of_the_text_with_a_reason_each(tmp_path: Path) -> None:
    new = """[api]
token_file = "t"
[database]
url = "sqlite:///y.db"
[jobs]
modules = ["os"]
"""
    found = outcome(tmp_path, '[jobs]\naround = ["a:b"]\n', new, OTHERS).problems
    token, database = (
        FIXED.format("names a file with a secret"),
        FIXED.format("names a database"),
    )
    told = [(one.line, one.key, one.detail) for one in found]
    assert told == [
        (2, "api.token_file", token),
        (4, "database.url", database),
        (6, "jobs.modules", CODE),
        (None, "jobs.around", CODE),
    ]
    assert not [one.place for one in found if "ORPHEUS" in (one.place or "")], "that is not edited"


def test_only_where_a_secret_is_written_out_it_is_said_to_count_as_a_change(tmp_path: Path) -> None:
    command = "[[commands]]\nname = 'a'\nargv = ['true']\nenv = { KEY = 'hush' }\n"
    new = f"{command}[jobs]\nmodules = ['os']\n"
    commands, modules = (one.detail for one in outcome(tmp_path, command, new).problems)
    assert modules == CODE
    assert commands == f"{CODE} (a secret that is written out is a change: put its mask back)"


@pytest.mark.parametrize(
    ("sets", "by"),
    [((), "ORPHEUS_POOLS__DEFAULT__WORKERS"), (("pools.default.workers=2",), "--set")],
)
def test_what_something_else_sets_is_said_to_stay_as_it_is(
    tmp_path: Path, sets: Sequence[str], by: str
) -> None:
    text = "[pools.default]\nworkers = 1\nmax_jobs = 5\n"
    new = text.replace("1", "3").replace("5", "6")
    found = outcome(tmp_path, text, new, OTHERS, sets)
    assert found.changed == ("pools.default.max_jobs",)
    assert found.notes == (f"pools.default.workers stays as it is: {by} sets it.",)
    assert outcome(tmp_path, text, new).notes == ()


def test_a_table_of_which_a_part_changes_is_not_said_to_stay(tmp_path: Path) -> None:
    table = "[queues.mail]\nmax_running = 5\npaused = true\n"
    others = {"ORPHEUS_QUEUES__MAIL__MAX_RUNNING": "7"}
    for text, new in ((table, "# none\n"), ("# none\n", table)):
        found = outcome(tmp_path, text, new, others)
        assert found.changed == ("queues.mail.paused",)
        assert found.notes == ()


def test_a_secret_that_something_else_sets_cannot_be_guessed(tmp_path: Path) -> None:
    text = """[[alerts]]
name = "ops"
on = ["job.failed"]
type = "webhook"
payload = { token = "hush" }
"""
    sets = ('alerts=[{name = "ops", on = ["job.failed"], type = "webhook"}]',)
    right = outcome(tmp_path, text, text, sets=sets)
    assert right == outcome(tmp_path, text, text.replace("hush", "guess"), sets=sets)
