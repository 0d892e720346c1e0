"""Which settings differ."""

from pathlib import Path

import pytest

from orpheus.config.changes import changed_keys
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
    ("old", "new", "changed"),
    [
        ("[api]\nport = 1", "[api]\nport = 2", ["api.port"]),
        (ALERT, ALERT.replace("fatal", "hung"), ["alerts: down"]),
        (ALERT, ALERT.replace("secret", "guess"), []),
        (COMMAND, COMMAND.replace("secret", "other"), ["commands: pay"]),
    ],
    ids=["no secret", "beside a secret", "a secret that may be guessed", "one only in the file"],
)
def test_a_secret_is_compared_only_where_nobody_can_guess_it(
    tmp_path: Path, old: str, new: str, changed: list[str]
) -> None:
    before, after = (settings(tmp_path / "orpheus.toml", text) for text in (old, new))
    assert changed_keys(before, after) == changed


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
    assert changed_keys(before, after) == changed
