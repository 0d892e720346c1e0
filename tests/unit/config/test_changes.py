"""Which settings differ, and what of it may be told to whoever does not see the secrets."""

from pathlib import Path

import pytest

from orpheus.config.changes import changed_keys, reach, shown_changes
from orpheus.config.load import load_settings
from orpheus.config.settings import Settings

COMMAND = "[[commands]]\nname = 'pay'\nargv = ['true']\nenv = {KEY = 'secret'}\n"
ALERT = "[[alerts]]\nname = 'down'\non = ['worker.fatal']\nwebhook = 'http://chat/secret'\n"
OFTEN = "[[schedules]]\nname = 'often'\ntype = 't'\nevery = 60\n"
SELDOM = "[[schedules]]\nname = 'seldom'\ntype = 't'\nevery = 3600\n"
SCHEDULES = OFTEN + SELDOM


def settings(path: Path, toml: str) -> Settings:
    path.write_text(toml, encoding="utf-8")
    return load_settings(path, (), {})


@pytest.mark.parametrize(
    ("old", "new", "changed", "shown"),
    [
        ("[api]\nport = 1", "[api]\nport = 2", ["api.port"], ["api.port"]),
        (ALERT, ALERT.replace("fatal", "hung"), ["alerts: down"], ["alerts: down"]),
        (ALERT, ALERT.replace("secret", "guess"), ["alerts: down"], []),
        (COMMAND, COMMAND.replace("secret", "other"), ["commands: pay"], ["commands: pay"]),
    ],
    ids=["no secret", "beside a secret", "a secret that may be guessed", "one only in the file"],
)
def test_a_secret_is_compared_only_where_nobody_can_guess_it(
    tmp_path: Path, old: str, new: str, changed: list[str], shown: list[str]
) -> None:
    before, after = (settings(tmp_path / "orpheus.toml", text) for text in (old, new))
    assert (changed_keys(before, after), shown_changes(before, after)) == (changed, shown)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("", SCHEDULES, ["schedules: often", "schedules: seldom"]),
        (SCHEDULES, SCHEDULES.replace("every = 60", "every = 90"), ["schedules: often"]),
        (
            SCHEDULES,
            SCHEDULES.replace("seldom", "never"),
            ["schedules: never", "schedules: seldom"],
        ),
        (OFTEN + SELDOM, SELDOM + OFTEN, ["schedules"]),
    ],
    ids=["two are new", "one of two", "a new name", "the order alone"],
)
def test_of_a_list_of_tables_those_that_differ_are_named(
    tmp_path: Path, old: str, new: str, changed: list[str]
) -> None:
    before, after = (settings(tmp_path / "orpheus.toml", text) for text in (old, new))
    assert changed_keys(before, after) == shown_changes(before, after) == changed


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "port = 8399", ["The page and the API listen on 127.0.0.1, port 8399 then."]),
        ("", "host = 'localhost'", ["The page and the API listen on localhost, port 8000 then."]),
        ("", "enabled = false\nport = 1", ["There is no page and no API then: only the file"]),
        ("enabled = false", "enabled = false\nport = 1", []),
        ("", "read_only = true", ["Nothing can be changed over HTTP then: only the file"]),
        ("read_only = true", "read_only = true\nmax_clients = 2", []),
    ],
)
def test_it_is_told_where_the_page_will_be_and_what_it_can_no_longer_do(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    path = tmp_path / "orpheus.toml"
    notes = [*reach(*(settings(path, f"[api]\n{text}\n") for text in (old, new)))]
    assert len(notes) == len(told)
    assert all(note.startswith(one) for note, one in zip(notes, told, strict=True))
