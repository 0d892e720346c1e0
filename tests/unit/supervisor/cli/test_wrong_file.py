"""The command line while orpheus.toml is wrong; tests/unit/config/test_effective.py has more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.effective import effective_note
from orpheus.config.load import load_settings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.process.living_note import write_note
from orpheus.shared.storage import Store, state_files

Orpheus = Callable[..., Any]
URL = "sqlite:///data/orpheus.db"
GOOD = '[jobs]\nmax_retries = 7\n[pools.mail]\nqueues = ["mail"]\n'
WRONG = {"syntax": GOOD + "[api\n", "key": GOOD + "[api]\nprot = 1\n"}


@pytest.fixture
def config(store: Store, tmp_path: Path) -> Path:
    store.jobs.submit(NewJob("count", queue="mail"))
    config = tmp_path / "orpheus.toml"
    config.write_text(GOOD)
    return config


@pytest.fixture
def runs(orpheus: Orpheus, config: Path) -> Path:
    """An Orpheus that was started with a good file; this process stands for it."""
    settings = load_settings(Path("orpheus.toml"), (), {})
    write_note(state_files(URL).running_settings, effective_note(settings, 0, None))
    return config


@pytest.mark.parametrize("name", WRONG)
def test_every_command_works_with_what_runs_and_names_the_line(
    orpheus: Orpheus, runs: Path, name: str
) -> None:
    runs.write_text(WRONG[name])
    for command in (
        ["jobs"], ["show", "1"], ["logs", "1"], ["queues"], ["schedules"], ["types"], ["workers"],
        ["programs"], ["audit"], ["errors"], ["why", "1"], ["status"], ["db", "check"],
        ["pause", "mail"], ["resume", "mail"], ["cancel", "99"],
        ["config", "versions"], ["submit", "count", "n=1", "--queue", "mail"],
    ):  # fmt: skip
        code, _, err = orpheus("--config", "orpheus.toml", *command)
        assert code in (0, 1), (command, err)
        if command != ["config", "versions"]:
            assert err.startswith("orpheus: warning: orpheus.toml:"), (command, err)
            assert "(see `orpheus config check`)" in err
    submitted = orpheus("--config", "orpheus.toml", "submit", "count", "n=1", "--json")
    assert submitted.json["max_retries"] == 7
    for strict in (["config", "check"], ["db", "reopen"], ["db", "move", URL, "sqlite:///b.db"]):
        code, out, err = orpheus("--config", "orpheus.toml", *strict)
        assert (code, out) == (78, ""), (strict, err)


@pytest.mark.parametrize("name", WRONG)
def test_the_settings_that_are_shown_are_those_of_what_runs(
    orpheus: Orpheus, runs: Path, name: str
) -> None:
    runs.write_text(WRONG[name])
    show = ("--config", "orpheus.toml", "config", "show")
    code, out, err = orpheus(*show)
    assert (code, err.count("\n")) == (0, 1), err
    assert err.endswith("showing the settings of the running Orpheus\n")
    assert "\njobs.max_retries = 7 " in out
    assert orpheus(*show, "--json").json["pools"]["mail"]["queues"] == ["mail"]


@pytest.mark.parametrize("name", WRONG)
def test_where_nothing_runs_a_command_stops_and_says_what_to_do(
    orpheus: Orpheus, config: Path, name: str
) -> None:
    config.write_text(WRONG[name])
    for command in (["jobs"], ["submit", "count", "n=1"], ["config", "show"]):
        code, out, err = orpheus("--config", "orpheus.toml", *command)
        assert (code, out) == (78, ""), command
        assert err.startswith("orpheus: orpheus.toml:")
        assert command == ["config", "show"] or "--set database.url=sqlite:///FILE" in err
    named = ("--config", "orpheus.toml", "--set", f"database.url={URL}")
    assert orpheus(*named, "jobs").code == 0
