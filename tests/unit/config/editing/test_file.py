"""The configuration file edited from afar: secrets stay hidden, and what names code stays."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.toml import masked
from orpheus.config.effective import effective_note
from orpheus.config.load import load_settings
from orpheus.shared.domain.hidden import MASK
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.operations.configuration import (
    Edit,
    EditOutcome,
    FileChanged,
    NotEditable,
)
from orpheus.shared.process.living_note import write_note
from orpheus.shared.storage import state_files

Toml = Callable[[str], Path]
COMMAND = "[[commands]]\nname = 'a'\nargv = ['true']\n{} = {{ KEY = '{}' }}\n"
ALERT = "[[alerts]]\nname = 'down'\non = ['worker.fatal']\nwebhook = 'https://h/{}'\n"


def desk(path: Path | None, *sets: str, may_name_code: bool = False) -> ConfigurationFile:
    state = state_files(f"sqlite:///{Path.cwd()}.s/o.db")
    return ConfigurationFile(path, sets, {}, state, may_name_code=may_name_code)


def no_refusal(_: object) -> dict[tuple[str, int], str]:
    """Every schedule makes its job."""
    return {}


def outcome(path: Path, text: str, seen: Sequence[str] | None = None) -> EditOutcome:
    return desk(path).plan(Edit(text), seen, no_refusal).outcome


def apply(file: ConfigurationFile, edit: Edit) -> str:
    """Replace the file; its new etag."""
    with file.prepared(file.plan(edit, None, no_refusal), "api:test", None) as replace:
        return replace()


# What is shown


def test_the_file_is_shown_with_its_problems_and_what_is_in_force(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n")
    assert desk(path).show().in_force.text.startswith("No supervisor is running.")
    settings = load_settings(path, (), {})
    note = state_files(f"sqlite:///{Path.cwd()}.s/o.db").running_settings
    note.parent.mkdir()
    write_note(note, effective_note(settings, 5, 7))
    in_force = desk(path).show().in_force
    assert (in_force.file, in_force.version, in_force.since) == (str(path), 7, time_of(5))
    assert in_force.text == "File and running configuration match."
    path.write_text("[api]\nport = 'x'\n")
    shown = desk(path).show()
    assert shown.in_force.text.startswith("Saved changes are not active")
    assert [(one.key, one.line) for one in shown.problems] == [("api.port", 2)]
    assert {one.key: one.value for one in shown.settings}["api.port"] == 1, "that is in force"
    assert desk(path).sizes().pools == {"default": settings.pools["default"].workers}


@pytest.mark.parametrize(
    ("content", "obstacle"),
    [
        (b"[[commands]]\nenv.KEY = 'hush'\n[api", "is not shown: is not TOML"),
        (b"\xff", "is not UTF-8 (byte 0)"),
        (b"#" * 200_000, "is longer than 131072 characters"),
        (None, "cannot be read: is gone"),
    ],
)
def test_a_file_that_cannot_be_shown_says_why(
    toml: Toml, content: bytes | None, obstacle: str
) -> None:
    path = toml("")
    path.unlink() if content is None else path.write_bytes(content)
    shown = desk(path).show()
    assert shown.text is None and shown.obstacle is not None and obstacle in shown.obstacle
    assert "hush" not in repr(shown)
    with pytest.raises(NotEditable):
        outcome(path, "")


def test_without_a_file_the_defaults_are_shown_and_what_to_do(own_directory: Path) -> None:
    shown = desk(None).show()
    assert (shown.path, shown.text, shown.etag) == (None, None, None)
    assert shown.obstacle is not None and "--config" in shown.obstacle
    assert {one.origin for one in shown.settings} == {"default"}
    with pytest.raises(NotEditable, match="--config"):
        desk(None).plan(Edit(""), None, no_refusal)


# What an edit leads to


def test_it_is_told_which_settings_change_and_which_slots_restart(toml: Toml) -> None:
    path = toml("[pools.default]\nworkers = 2\n[pools.mail]\n")
    found = outcome(path, "[pools.default]\nworkers = 3\n[pools.mail]\nmax_jobs = 9\n")
    assert found.changed == ("pools.default.workers", "pools.mail.max_jobs")
    assert (found.restarts, found.starts, found.stops) == (("mail-1",), ("default-3",), ())
    assert outcome(path, "[pools.default]\nworkers = 2\n").stops == ("mail-1",)
    assert outcome(path, f"{path.read_text()}[api]\nmax_clients = 9\n").restarts == ("api",)


@pytest.mark.parametrize(
    "text",
    [
        '[jobs]\nmodules = ["os"]\n',
        '[[commands]]\nname = "a"\nargv = ["rm"]\n',
        '[[outboxes]]\nname = "a"\nurl = "sqlite:///a.db"\n',
        '[database]\nurl = "sqlite:////etc/passwd"\n',
        '[database]\nstate_dir = "/etc"\n',
        '[api]\ntoken_file = "/etc/shadow"\n',
        'jobs.modules = ["os"]\n',
        "commands = 5\n",
        "[[programs]]\nname = 'a'\nargv = ['sh']\n",
    ],
)
def test_what_names_code_cannot_be_changed_from_afar(toml: Toml, text: str) -> None:
    found = outcome(toml(""), text)
    assert len(found.refused) == 1
    assert [" here, as it names " in problem.detail for problem in found.problems] == [True]
    assert "/etc" not in found.problems[0].detail  # nor is looked at
    on_machine = desk(toml(""), may_name_code=True).plan(Edit(text), None, no_refusal)
    assert on_machine.outcome.refused == ()


@pytest.mark.parametrize("key", ["env", "enw"])
def test_a_guess_of_a_secret_of_a_command_is_answered_alike_right_or_wrong(
    toml: Toml, key: str
) -> None:
    path = toml(COMMAND.format(key, "hush-1"))
    right = outcome(path, COMMAND.format(key, "hush-1"))
    assert right == outcome(path, COMMAND.format(key, "guess"))
    assert right.refused == ("commands",)
    assert outcome(path, COMMAND.format(key, MASK)).refused == ()


def test_a_guess_of_a_webhook_is_always_a_change(toml: Toml) -> None:
    path = toml(ALERT.format("hush"))
    right, wrong = (outcome(path, ALERT.format(guess)) for guess in ("hush", "guess"))
    assert right == wrong and right.changed == ("alerts",)
    assert outcome(path, masked(ALERT.format("hush"))).changed == ()


def test_a_mask_where_no_secret_was_is_a_problem_with_its_line(toml: Toml) -> None:
    (problem,) = outcome(toml("[api]\n"), f"[api]\nhost = '{MASK}'\n").problems
    assert problem.line == 2


def test_a_file_with_a_wrong_value_can_be_mended_and_must_not_be_emptied(toml: Toml) -> None:
    path = toml('[api]\nport = "x"\n')
    found = outcome(path, "[api]\nport = 5\n")
    assert (found.problems, found.changed) == ((), None)
    (problem,) = outcome(path, " \n").problems
    assert "would be empty" in problem.detail


# What is written


def test_the_file_behind_a_link_is_replaced_and_secrets_are_as_they_were(
    own_directory: Path,
) -> None:
    (own_directory / "real").mkdir()
    real = own_directory / "real" / "a.toml"
    text = COMMAND.format("env", "hush") + '[logging]\nlevel = "info"\n'
    real.write_text(text)
    link = own_directory / "link.toml"
    link.symlink_to(real)
    file = desk(link)
    etag = apply(file, Edit(masked(text).replace('"info"', '"debug"')))
    assert link.is_symlink()
    assert real.read_text() == text.replace('"info"', '"debug"')
    assert etag == file.show().etag
    assert {one.name for one in real.parent.iterdir()} == {"a.toml", "a.toml.bak"}


def test_a_file_that_changed_since_it_was_read_is_left_alone(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n")
    file = desk(path)
    seen = file.show().etag
    assert seen is not None
    planned = file.plan(Edit("[api]\nport = 3\n"), [seen], no_refusal)
    path.write_text("[api]\nport = 12\n")
    with pytest.raises(FileChanged), file.prepared(planned, "api:test", None) as replace:
        replace()
    with pytest.raises(FileChanged):
        file.plan(Edit("[api]\nport = 3\n"), [seen], no_refusal)
    assert path.read_text() == "[api]\nport = 12\n"
    assert [one.version.text for one in file.versions()] == ["[api]\nport = 1\n"]


def test_an_earlier_version_is_masked_as_the_file_says_now(toml: Toml) -> None:
    first = "[[schedules]]\nname = 'a'\ntype = 'a'\nevery = 60\npayload = {card = 'hush'}\n"
    path = toml(first)
    file = desk(path)
    apply(file, Edit(f"{first}\n[privacy]\nhide = ['payload.card']\n"))
    texts = [shown.version.text for shown in file.versions()]
    assert len(texts) == 2 and all("hush" in text for text in texts)
    assert not any("hush" in str(shown.text) for shown in file.versions())


def test_a_version_comes_back_with_its_secrets_unless_it_names_other_code(toml: Toml) -> None:
    path = toml(COMMAND.format("env", "hush") + "[api]\nport = 1\n")
    first = path.read_text()
    file = desk(path)
    apply(file, Edit(masked(first).replace("port = 1", "port = 2")))
    newest, oldest = file.versions()
    assert (newest.version.by, newest.is_in_file, oldest.is_in_file) == ("api:test", True, False)
    assert oldest.text == masked(first)
    apply(file, Edit(version=oldest.version.number))
    assert path.read_text() == first
    path.write_text(first.replace("'true'", "'false'"))
    refused = file.plan(Edit(version=oldest.version.number), None, no_refusal).outcome
    assert refused.refused == ("commands",)
    with pytest.raises(NotFound):
        file.plan(Edit(version=99), None, no_refusal)


@pytest.mark.parametrize("broken", ["[api", None])
def test_on_the_machine_a_version_replaces_what_cannot_be_read(
    toml: Toml, broken: str | None
) -> None:
    path = toml("[api]\nport = 1\n")
    file = desk(path, may_name_code=True)
    apply(file, Edit("[api]\nport = 2\n"))
    path.unlink() if broken is None else path.write_text(broken)
    apply(file, Edit(version=2))
    assert path.read_text() == "[api]\nport = 2\n"
