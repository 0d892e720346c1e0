"""Code that the supervisor runs by may come back into a file that it has not taken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.versions import Versions
from orpheus.config.load import load_settings
from orpheus.config.running_settings import forget_running_settings, keep_running_settings
from orpheus.shared.operations.configuration import MASK, Edit, EditOutcome
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import state_files

RUNS = """[jobs]
modules = ["mine"]
[pools.default]
workers = 1
[[programs]]
name = "web"
argv = ["true"]
stop_timeout = "7s"
env = { KEY = "hush" }
"""
WRONG = RUNS.replace("mine", "nome")
OLDER = RUNS.replace("mine", "older")
MOVED = f'[api]\ntoken_file = "new"\n{RUNS}'
REPLACED = '[database]\nurl = "sqlite:///other.db"\n[[commands]]\nname = "a"\nargv = ["rm"]\n'
Plan = Callable[[Edit], EditOutcome]


@pytest.fixture
def state(own_directory: Path) -> StateFiles:
    return state_files(f"sqlite:///{own_directory}/a.db")


@pytest.fixture
def path(tmp_path: Path, state: StateFiles) -> Path:
    """A file of which version 2 is in force; this process stands for the supervisor."""
    path = tmp_path / "orpheus.toml"
    for text in (OLDER, RUNS):
        path.write_text(text, encoding="utf-8")
        version = Versions(state.configurations, path).keep_found(text)
    keep_running_settings(
        state.running_settings, load_settings(path, (), {}), 1_700_000_000_000, version.number
    )
    return path


@pytest.fixture
def plan(path: Path, state: StateFiles) -> Plan:
    file = ConfigurationFile(path, (), {}, state)
    return lambda edit: file.plan(edit, None, lambda _: {}).outcome


def test_a_text_with_the_code_for_which_the_file_was_rejected_would_be_rejected_again(
    path: Path, state: StateFiles, plan: Plan
) -> None:
    reject(path, state, WRONG)
    shown = WRONG.replace("hush", MASK)
    outcome = plan(Edit(text=shown.replace("workers = 1", "workers = 2")))
    (warning,) = outcome.warnings
    assert (warning.key, warning.line) == ("jobs.modules", 2)
    assert warning.detail == "would be rejected again: nome does not import"
    assert (outcome.problems, outcome.again) == ((), "jobs.modules")
    mended = plan(Edit(text=shown.replace("nome", "mine")))
    assert (mended.problems, mended.warnings, mended.again) == ((), (), None)


def reject(path: Path, state: StateFiles, text: str) -> None:
    """Let an editor save the text, as a version that the supervisor does not take."""
    path.write_text(text, encoding="utf-8")
    Versions(state.configurations, path).note_rejected(
        2, text, "jobs.modules: nome does not import"
    )


@pytest.mark.parametrize("text", [WRONG, REPLACED, f"{RUNS}[", None])
def test_one_goes_back_to_it_from_any_state_of_the_file(
    plan: Plan, path: Path, state: StateFiles, text: str | None
) -> None:
    if text is None:
        path.unlink()
    else:
        reject(path, state, text)
    outcome = plan(Edit(version=2))
    assert (outcome.problems, outcome.refused) == ((), ())
    assert (outcome.changed, outcome.restarts) == ((), ()), "it is in force"


def test_it_may_be_typed_with_other_changes(plan: Plan, path: Path, state: StateFiles) -> None:
    reject(path, state, WRONG)
    shown = RUNS.replace('"hush"', f'"{MASK}"').replace("workers = 1", "workers = 2")
    outcome = plan(Edit(shown))
    assert outcome.problems == ()
    assert outcome.changed == ("pools.default.workers",)
    assert plan(Edit(values={"jobs.modules": ["mine"]})).problems == ()


def test_a_secret_of_it_cannot_be_guessed(plan: Plan, path: Path, state: StateFiles) -> None:
    reject(path, state, REPLACED)
    right = plan(Edit(RUNS))
    assert right.refused == ("programs",)
    assert right == plan(Edit(RUNS.replace("hush", "guess")))


@pytest.mark.parametrize(
    ("text", "key"),
    [(WRONG, "jobs.modules"), (RUNS.partition("[[")[0], "programs"), (MOVED, "api.token_file")],
)
def test_what_was_changed_by_hand_and_waits_to_be_taken_cannot_be_undone(
    plan: Plan, path: Path, text: str, key: str
) -> None:
    path.write_text(text, encoding="utf-8")
    assert plan(Edit(version=2)).refused == (key,)
    assert plan(Edit(RUNS.replace("hush", MASK))).problems != ()


def test_the_file_of_a_token_cannot_come_back_from_a_rejected_file_either(
    plan: Plan, path: Path, state: StateFiles
) -> None:
    reject(path, state, MOVED.replace("mine", "nome"))
    assert plan(Edit(version=2)).refused == ("api.token_file",)


@pytest.mark.parametrize("text", [RUNS, WRONG, f"{RUNS}["])
def test_other_code_is_refused_and_the_command_for_the_machine_is_named(
    plan: Plan, path: Path, state: StateFiles, text: str
) -> None:
    reject(path, state, text)
    [problem] = plan(Edit(version=1)).problems
    assert problem.key == "jobs.modules"
    assert problem.detail == (
        "cannot be changed here, as it names code: go back on the machine, by "
        "orpheus config rollback 1"
    )


def test_what_was_rejected_does_not_come_in_by_way_of_a_file_that_is_no_toml(
    plan: Plan, path: Path, state: StateFiles
) -> None:
    reject(path, state, WRONG)
    Versions(state.configurations, path).keep(WRONG, "file", None)
    path.write_text(f"{WRONG}[", encoding="utf-8")
    assert plan(Edit(version=3)).refused == ("jobs.modules",)


def test_without_a_supervisor_only_the_code_of_the_file_stays(
    plan: Plan, path: Path, state: StateFiles
) -> None:
    path.write_text(WRONG, encoding="utf-8")
    forget_running_settings(state.running_settings)
    assert plan(Edit(version=2)).refused == ("jobs.modules",)


def test_the_numbers_of_workers_are_those_in_force_whatever_the_file_says(
    path: Path, state: StateFiles
) -> None:
    editor = ConfigurationFile(path, (), {}, state)
    for text in (RUNS.replace("workers = 1", "workers = 3"), "[pools.default]\nworkers = 'x'", "["):
        path.write_text(text, encoding="utf-8")
        sizes = editor.sizes()
        assert (sizes.pools, sizes.programs) == ({"default": 1}, {"web": 1})
        assert sizes.ends_within_s == {"web": 7}
    forget_running_settings(state.running_settings)
    path.write_text(RUNS.replace("workers = 1", "workers = 3"), encoding="utf-8")
    assert editor.sizes().pools == {"default": 3}
