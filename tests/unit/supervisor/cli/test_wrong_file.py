"""The command line while orpheus.toml is wrong and an Orpheus runs with its earlier settings."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.versions import Versions
from orpheus.config.load import load_settings
from orpheus.config.running_settings import keep_running_settings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.process.host import own_host
from orpheus.shared.storage import Store, open_store, state_files
from tests.databases import make_database
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]

URL = "sqlite:///data/orpheus.db"
GOOD = f"""
[database]
url = "{URL}"

[jobs]
max_retries = 7

[pools.mail]
queues = ["mail"]
"""
WRONG = {
    "syntax": GOOD + "[api\nport = 1\n",
    "key": GOOD + "[api]\nprot = 1\n",
    "pools": GOOD.replace('queues = ["mail"]', "queues = 5"),
    "url": GOOD.replace(f'"{URL}"', f'"{URL}'),
    "gone": None,
}
needs_url = [name for name, text in WRONG.items() if name in ("url", "gone")]


@pytest.fixture
def runs(orpheus: Orpheus, store: Store, tmp_path: Path) -> Iterator[Path]:
    """An Orpheus that was started with a good file: its lock and what it keeps."""
    config = tmp_path / "orpheus.toml"
    config.write_text(GOOD)
    state = state_files(URL)
    fd = os.open(state.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    settings = load_settings(Path("orpheus.toml"), ["database.url=sqlite:///" + state.database], {})
    keep_running_settings(state.running_settings, settings)
    store.jobs.submit(NewJob("count", queue="mail"))
    yield config
    os.close(fd)


def keep_taken(config: Path) -> None:
    """Keep what the file holds as what the Orpheus that runs has taken."""
    state = state_files(URL)
    settings = load_settings(config, [f"database.url=sqlite:///{state.database}"], {})
    version = Versions(state.configurations, config).keep_found(config.read_text())
    keep_running_settings(state.running_settings, settings, version=version.number)


def break_it(config: Path, name: str) -> None:
    text = WRONG[name]
    config.unlink() if text is None else config.write_text(text)


@pytest.mark.parametrize("name", WRONG)
def test_every_command_works_with_what_runs_and_names_the_line(
    orpheus: Orpheus, runs: Path, name: str
) -> None:
    break_it(runs, name)
    for command in (
        ["jobs"], ["show", "1"], ["logs", "1"], ["queues"], ["schedules"], ["types"], ["workers"],
        ["programs"], ["audit"], ["errors"], ["why", "1"], ["status"], ["db", "check"],
        ["pause", "mail"], ["resume", "mail"], ["cancel", "--all", "--dry-run"],
        ["submit", "count", "n=1", "--queue", "mail"],
    ):  # fmt: skip
        code, _, err = orpheus("--config", "orpheus.toml", *command)
        assert code in (0, 1), (command, err)
        assert err.startswith("orpheus: warning: orpheus.toml:"), (command, err)
        assert "the running Orpheus keeps its earlier settings" in err


@pytest.mark.parametrize("name", WRONG)
def test_what_is_said_is_what_holds_for_what_runs(orpheus: Orpheus, runs: Path, name: str) -> None:
    break_it(runs, name)
    given = ("--config", "orpheus.toml")
    assert orpheus(*given, "submit", "count", "n=1", "--json").json["max_retries"] == 7
    codes = [one["code"] for one in orpheus(*given, "why", "1", "--json").json["reasons"]]
    assert codes == ["no_worker"], "a pool serves its queue"
    concerns = orpheus(*given, "status", "--json").json["verdict"]["concerns"]
    unserved = [one["about"]["name"] for one in concerns if one["code"] == "no_pool"]
    assert unserved == ["default"], "the pool serves only the queue mail"


def test_an_emptied_file_is_not_what_runs_though_another_source_names_the_database(
    orpheus: Orpheus, runs: Path
) -> None:
    state = state_files(URL)
    given = ("--config", "orpheus.toml", "--set", f"database.url=sqlite:///{state.database}")
    submit = (*given, "submit", "count", "n=1", "--queue", "mail", "--json")
    keep_taken(runs)
    runs.write_text("")
    found = orpheus(*submit)
    assert found.json["max_retries"] == 7
    assert "orpheus.toml is empty; the running Orpheus keeps its earlier settings" in found.err
    keep_taken(runs)
    for options in (["jobs.max_retries=2"], ["database.url=sqlite:///another.db"]):
        found = orpheus(*submit, *(word for option in options for word in ("--set", option)))
        assert "empty" not in found.err, "it was so before"


@pytest.mark.parametrize("name", WRONG)
def test_the_settings_that_are_shown_are_those_of_what_runs(
    orpheus: Orpheus, runs: Path, name: str
) -> None:
    show = ("--config", "orpheus.toml", "config", "show")
    break_it(runs, name)
    code, out, err = orpheus(*show)
    assert (code, err.count("\n")) == (0, 1), err
    assert err.startswith("orpheus: warning: orpheus.toml:")
    assert "the running Orpheus keeps its earlier settings" in err
    assert re.search("\njobs.max_retries = 7 +# the running Orpheus\n", out)
    assert orpheus(*show, "--json").json["pools"]["mail"]["queues"] == ["mail"]


@pytest.mark.parametrize("name", WRONG)
def test_what_runs_is_shown_with_the_lines_of_its_version(
    orpheus: Orpheus, runs: Path, name: str
) -> None:
    text = f"{GOOD}\n[[schedules]]\nname = 'nightly'\nevery = 60\ntype = 'count'\n"
    runs.write_text(text)
    state = state_files(URL)
    version = Versions(state.configurations, runs).keep_found(text)
    settings = load_settings(Path("orpheus.toml"), [], {})
    keep_running_settings(state.running_settings, settings, version=version.number)
    break_it(runs, name)
    show = ("--config", "orpheus.toml", "config", "show")
    out = orpheus(*show).out
    assert re.search("\njobs.max_retries = 7 +# version 1 of orpheus.toml:6\n", out)
    assert orpheus(*show, "--json").json["schedules"][0]["name"] == "nightly"


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_guess_refuses(orpheus: Orpheus, runs: Path, name: str) -> None:
    break_it(runs, name)
    for command in (["config", "check"], ["db", "reopen"], ["db", "move", URL, "sqlite:///b.db"]):
        code, out, err = orpheus("--config", "orpheus.toml", *command)
        assert (code, out) == (78, ""), (command, err)
        assert "orpheus.toml" in err


def test_a_mistake_on_the_command_line_is_no_mistake_of_the_file(
    orpheus: Orpheus, runs: Path
) -> None:
    break_it(runs, "key")
    given = ("--config", "orpheus.toml", "--set", "jobs.max_retires=1")
    code, out, err = orpheus(*given, "submit", "count", "n=1")
    assert (code, out) == (78, "")
    assert "did you mean jobs.max_retries?" in err
    assert "keeps its earlier settings" not in orpheus(*given, "jobs").err


@pytest.mark.usefixtures("runs")
def test_an_orpheus_on_another_database_of_the_same_folder_is_not_the_one_that_is_meant(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    other = "sqlite:///data/second.db"
    make_database(other)
    (tmp_path / "second.toml").write_text(GOOD.replace(URL, other) + "[api]\nprot = 1\n")
    code, _, err = orpheus("--config", "second.toml", "pause", "mail")
    assert (code, "keeps its earlier settings" in err) == (0, False), err
    assert [row.name for row in store.queues.all() if row.paused] == []
    second = open_store(other)
    assert [row.name for row in second.queues.all() if row.paused] == ["mail"]
    second.close()
    code, _, err = orpheus("--config", "second.toml", "submit", "count", "n=1")
    assert (code, "api.prot" in err) == (78, True), err


def test_without_an_orpheus_that_runs_only_what_is_certain_works(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    for name in WRONG:
        (tmp_path / "orpheus.toml").write_text("")
        break_it(tmp_path / "orpheus.toml", name)
        code, _, err = orpheus("--config", "orpheus.toml", "jobs")
        assert code == (78 if name in needs_url else 0), name
        assert "keeps its earlier settings" not in err
        assert orpheus("--config", "orpheus.toml", "submit", "count", "n=1").code == 78
        assert orpheus("--config", "orpheus.toml", "config", "show").code == 78


# A file that says no more which database is meant


@pytest.mark.parametrize("text", ["[api\n", '[api]\nport = = 1\n[database]\ndurability = "none"\n'])
def test_nothing_is_changed_in_a_database_that_is_a_guess(
    orpheus: Orpheus, store: Store, tmp_path: Path, text: str
) -> None:
    (tmp_path / "own.toml").write_text(text)
    job_id = store.jobs.submit(NewJob("count", queue="mail")).job.id
    for command in (["jobs"], ["queues"], ["show", str(job_id)]):
        code, out, err = orpheus("--config", "own.toml", *command)
        assert (code, out != "", "warning: own.toml" in err) == (0, True, True)
    for command in (
        ["pause", "mail"], ["cancel", str(job_id)], ["cancel", "--all", "--yes"],
        ["submit", "count", "n=1"], ["release", "count"],
    ):  # fmt: skip
        code, out, err = orpheus("--config", "own.toml", *command)
        assert (code, out) == (78, ""), command
    assert "--set database.url=" in orpheus("--config", "own.toml", "pause", "mail").err
    assert (
        orpheus("--config", "own.toml", "--set", f"database.url={URL}", "pause", "mail").code == 0
    )


@pytest.mark.parametrize("text", ["[api\n", ""])
def test_the_database_of_what_runs_is_used_and_not_the_default(
    orpheus: Orpheus, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The command is typed in another folder, whose default is another Orpheus's database."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "orpheus.toml").symlink_to(runs)
    keep_taken(runs)
    runs.write_text(text)
    monkeypatch.chdir(other)
    default = f"sqlite:///{other}/data/orpheus.db"
    make_database(default)
    code, out, err = orpheus("--config", "orpheus.toml", "jobs")
    assert (code, "mail" in out) == (0, True)
    assert "the running Orpheus keeps its earlier settings" in err
    assert orpheus("--config", "orpheus.toml", "pause", "mail").code == 0
    untouched = open_store(default)
    assert untouched.queues.all() == []
    untouched.close()


def test_the_check_tells_what_the_running_orpheus_has_rejected_of_this_very_text(
    orpheus: Orpheus, runs: Path, store: Store
) -> None:
    (runs.parent / "jobs_mod.py").write_text("from orpheus import job\n@job\ndef own(): ...\n")
    check = ("--config", "orpheus.toml", "config", "check")
    text = GOOD.replace("max_retries = 7", 'modules = ["jobs_mod"]')
    runs.write_text(text)
    versions = Versions(state_files(URL).configurations, runs)
    reason = "jobs.modules: jobs_mod does not import"
    supervisor = {"host": own_host(), "degraded": True, "rejected": reason}
    store.processes.put_slots([slot("supervisor", SlotState.READY, **supervisor)])
    assert orpheus(*check).code == 0, "that was another text"
    versions.note_rejected(None, text, reason)
    told = f"the running Orpheus has rejected it: {reason}"
    mended = "--modules checks whether that is mended"
    assert orpheus(*check) == (78, "", f"orpheus: orpheus.toml: {told} ({mended})\n")
    code, out, err = orpheus(*check, "--modules")
    assert (code, out) == (0, "orpheus.toml: ok\n"), "it is mended by now"
    again = "it looks again when the file is saved"
    assert err == f"orpheus: warning: {told} ({again})\n"
    versions.keep_found(text)
    assert orpheus(*check).code == 0, "it was taken after all"


MODULES, SAVED = "--modules checks whether that is mended", "it looks again when the file is saved"


@pytest.mark.parametrize(
    ("reason", "options", "hint"),
    [
        ("cannot listen on 127.0.0.1:9000: Address already in use", [], SAVED),
        ("cannot listen on 127.0.0.1:9000: Address already in use", ["--modules"], SAVED),
        ("an internal error: KeyError: 1", [], SAVED),
        ("jobs.around: contextlib has no function 'nullcontext'", [], MODULES),
        ("jobs.around: contextlib has no function 'nullcontext'", ["--modules"], None),
    ],
)
def test_the_check_takes_for_mended_only_what_it_looked_at(
    orpheus: Orpheus, runs: Path, store: Store, reason: str, options: list[str], hint: str | None
) -> None:
    text = GOOD.replace("max_retries = 7", 'around = ["contextlib:nullcontext"]')
    runs.write_text(text)
    supervisor = {"host": own_host(), "degraded": True, "rejected": reason}
    store.processes.put_slots([slot("supervisor", SlotState.READY, **supervisor)])
    Versions(state_files(URL).configurations, runs).note_rejected(None, text, reason)
    code, _, err = orpheus("--config", "orpheus.toml", "config", "check", *options)
    assert (code, reason in err) == (78 if hint else 0, True)
    assert err.endswith(f"({hint or SAVED})\n")
