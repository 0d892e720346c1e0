"""The configuration file edited from afar: secrets stay hidden, code stays as it is named."""

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.replace_file import replace_file
from orpheus.config.editing.toml import masked, unmasked
from orpheus.config.problems import known_keys
from orpheus.config.settings import Settings
from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.operations.configuration import (
    MASK,
    Edit,
    EditOutcome,
    FileChanged,
    NotEditable,
)
from orpheus.shared.storage import state_files

Toml = Callable[[str], Path]

SHIPPED = (Path(__file__).parents[4] / "config" / "orpheus.toml").read_text(encoding="utf-8")
SECRETS = """
[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush-1", LONG = \"\"\"hush-2
hush-3\"\"\"} # both of them

[[commands]]
name = "mail"
argv = ["true"]
[commands.env]
KEY = 'hush-4'

[logging]
level = "info" # the last line
"""


def desk(path: Path | None, *sets: str, **environ: str) -> ConfigurationFile:
    return ConfigurationFile(path, sets, environ, state_files(f"sqlite:///{Path.cwd()}.s/o.db"))


def no_refusal(_: object) -> dict[tuple[str, int], str]:
    """Every schedule makes its job."""
    return {}


def outcome(path: Path, text: str | None = None, **values: Any) -> EditOutcome:
    """What an edit would lead to. In `values`, `__` stands for a dot."""
    edit = Edit(text, {key.replace("__", "."): value for key, value in values.items()})
    return desk(path).plan(edit, None, no_refusal).outcome


def apply(file: ConfigurationFile, edit: Edit) -> str:
    """Replace the file; its new etag."""
    with file.prepared(file.plan(edit, None, no_refusal), "api:test", None) as replace:
        return replace()


# What is shown


def test_each_value_is_shown_with_what_set_it(toml: Toml) -> None:
    path = toml("[api]\nport = 1\nmax_clients = 1\n")
    shown = desk(path, "api.port=3", ORPHEUS_API__MAX_BODY="5").show()
    origins = {one.key: (one.value, one.origin) for one in shown.settings}
    assert origins["api.port"] == (3, "--set")
    assert origins["api.max_clients"] == (1, f"{path}:3")
    assert origins["api.max_body"] == (5, "ORPHEUS_API__MAX_BODY")
    assert origins["api.host"] == ("127.0.0.1", "default")
    assert len(origins) >= len({key for key in known_keys(Settings) if len(key) == 2})


def test_each_table_of_a_list_is_shown_with_its_line(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n" + SECRETS)
    origins = {one.key: one.origins for one in desk(path).show().settings}
    assert origins["commands"] == (f"{path}:4", f"{path}:10")
    assert (origins["schedules"], origins["api.port"], origins["pools.default.queues"]) == (
        (), (), (),
    )  # fmt: skip
    in_one_line = toml('commands = [{name = "a", argv = ["a"]}, {name = "b", argv = ["b"]}]\n')
    origins = {one.key: one.origins for one in desk(in_one_line).show().settings}
    assert origins["commands"] == (f"{in_one_line}:1",) * 2


def test_secrets_are_masked_in_the_text_and_in_the_values(toml: Toml) -> None:
    shown = desk(toml(SECRETS)).show()
    assert shown.text is not None
    assert shown.masked == 3
    assert "hush" not in shown.text + repr(shown)
    assert "# both of them" in shown.text


@pytest.mark.parametrize(
    "text",
    [
        "[[comands]]\nname = 'x'\nenv = { SECRET = 'hunter2' } # a comment\nflag = true\n",
        "[commands]\nname = 'x'\nenv = { SECRET = 'hunter2' }\n",
        "[a.b]\nenv = { SECRET = 'hunter2' }\n[api]\nport = 1\n",
        "[[commands]]\nname = 'x'\nargv = ['x']\nenw = { SECRET = 'hunter2' }\n",
        "[[commands]]\nname = 'x'\nargv = ['x']\nenv = ['SECRET=hunter2']\n",
        "[[commands]]\nname = 'x'\nenvironment.SECRET = [\n  'hunter2',\n]\n",
        "commands = 'SECRET=hunter2'\n",
        "[[commands]]\nname = 'x'\nargv = { SECRET = 'hunter2' }\n",
        "[[commands]]\nname = 'x'\nargv = [{ SECRET = 'hunter2' }]\n",
        "[[outboxes]]\nname = 'x'\nurl = 'postgresql://u:hunter2@h/d' # a comment\n",
        "[[outboxes]]\nname = 'x'\nurl = 'postgresql://u@h/d?password=hunter2'\n",
        "[[outboxes]]\nname = 'x'\nurl = 'mysql://u:hunter2@h/d'\n",
        "[database]\nlisten_url = 'postgresql://u:hunter2@h/d'\n",
        "[[programs]]\nname = 'x'\nready = { http = 'http://h/?key=hunter2' }\n",
        "[[programs]]\nname = 'x'\n[programs.ready]\nhttp.x = 'http://h/?key=hunter2'\n",
        "[[programs]]\nname = 'x'\nalive.http = 'HTP://h/?key=hunter2' # a comment\n",
        "[[programs]]\nname = 'x'\nalive.htp = 'http://h/?key=hunter2'\n",
        "[[programs]]\nname = 'x'\nraedy.http = 'http://h/?key=hunter2'\n",
        "[[schedules]]\nname = 'x'\npayload = { env = { SECRET = 'hunter2' }, n = 1 }\n",
        "[x]\nl = [{k = 'hunter2'}, 'hunter2']\n",
    ],
)
def test_secrets_are_masked_where_something_is_mistyped_too(toml: Toml, text: str) -> None:
    shown, count = masked(text)
    assert "hunter2" not in shown and count
    assert len(shown.splitlines()) == len(text.splitlines())
    assert unmasked(shown, text) == text
    assert "hunter2" not in repr(desk(toml(text)).show())


def test_what_is_known_and_no_secret_is_shown() -> None:
    text = SHIPPED + "[queues.env]\nmax_running = 3\n"
    for url in ("sqlite:///a:b@password.db", "postgresql://user@host:5432/shop"):
        text += f"[[outboxes]]\nname = '{url[:6]}'\nurl = '{url}'\n"
    assert masked(text) == (text, 0)


def test_a_masked_text_has_its_lines_where_the_file_has_them() -> None:
    text, _ = masked(SECRETS)
    at = [number for number, line in enumerate(text.splitlines()) if "# the last line" in line]
    assert at == [len(SECRETS.splitlines()) - 1]


@pytest.mark.parametrize(
    "text",
    [
        SECRETS,
        'commands = [{name = "a", argv = ["a"], env = {K = "hush"}}]\n',
        '[[commands]]\nname = "a"\nargv = ["a"]\nenv.K = "hush"\nenv.L = "hush"\n',
        '[[commands]]\r\nname = "a"\r\nargv = ["a"]\r\nenv = {K = "hush"}\r\n',
    ],
)
def test_a_masked_text_comes_back_as_it_was(text: str) -> None:
    hidden, count = masked(text)
    assert count and "hush" not in hidden
    assert unmasked(hidden, text) == text


def test_a_file_that_is_no_toml_is_not_shown_as_its_secrets_cannot_be_told_apart(
    toml: Toml,
) -> None:
    shown = desk(toml(SECRETS + "[api")).show()
    assert shown.text is None
    assert "hush" not in repr(shown)
    assert shown.obstacle is not None
    assert shown.obstacle.endswith(
        "orpheus.toml is not TOML now, so its secrets cannot be told apart from the rest, and it "
        "is not shown; change it on the machine"
    )
    assert [problem.key for problem in shown.problems] == [""]


def test_without_a_file_the_defaults_are_shown_and_what_to_do(own_directory: Path) -> None:
    shown = desk(None).show()
    assert (shown.path, shown.text, shown.etag) == (None, None, None)
    assert shown.obstacle is not None and "--config" in shown.obstacle
    assert {one.origin for one in shown.settings} == {"default"}
    with pytest.raises(NotEditable, match="--config"):
        desk(None).plan(Edit(""), None, no_refusal)


def test_a_missing_program_is_a_warning_as_it_would_not_keep_a_start(toml: Toml) -> None:
    shown = desk(toml('[[commands]]\nname = "a"\nargv = ["no-such-program"]\n')).show()
    assert shown.problems == ()
    assert [problem.line for problem in shown.warnings] == [3]


# What an edit leads to


def test_every_problem_is_told_at_once_with_its_line(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n")
    found = outcome(path, '[api]\nport = "x"\n\n[leases]\nttl = "never"\nprot = 1\n')
    assert [(p.key, p.line) for p in found.problems] == [
        ("api.port", 2),
        ("leases.ttl", 5),
        ("leases.prot", 6),
    ]
    assert found.changed is None


def test_a_problem_of_one_of_several_tables_has_its_name(toml: Toml) -> None:
    alert = "[[alerts]]\nname = '{}'\non = ['job.failed']\ntype = 'a'\n"
    text = alert.format("ops") + alert.format("late") + "evry = 1\n" + alert.format("a b")
    keys = {one.key: one.detail for one in outcome(toml(""), text).problems}
    assert keys["alerts.late.evry"] == "unknown key (did you mean every?)"
    assert "alerts.2.name" in keys


def test_it_is_told_which_settings_change_and_which_slots_restart(toml: Toml) -> None:
    path = toml("[pools.default]\nworkers = 2\n[pools.mail]\n")
    found = outcome(path, pools__default__workers=3, pools__mail__max_jobs=9)
    assert found.changed == ("pools.default.workers", "pools.mail.max_jobs")
    assert (found.restarts, found.starts, found.stops) == (("mail-1",), ("default-3",), ())
    assert outcome(path, pools__mail=None).stops == ("mail-1",)
    assert outcome(path, api__max_clients=9).restarts == ("api",)


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
    ],
)
def test_what_names_code_cannot_be_changed(toml: Toml, text: str) -> None:
    found = outcome(toml(""), text)
    assert len(found.refused) == 1
    assert [" here, as it names " in problem.detail for problem in found.problems] == [True]
    assert "/etc" not in found.problems[0].detail  # nor is looked at


def test_the_default_written_out_is_no_change(toml: Toml) -> None:
    assert outcome(toml(""), '[jobs]\nmodules = ["orpheus.worker.handlers"]\n').refused == ()


def test_a_change_of_a_secret_is_one_of_the_commands(toml: Toml) -> None:
    path = toml(SECRETS)
    text = masked(SECRETS)[0]
    assert outcome(path, text).changed == ()
    assert outcome(path, text.replace(MASK, "mine", 1)).refused == ("commands",)


@pytest.mark.parametrize("key", ["env", "enw"])
def test_a_guess_of_a_secret_is_answered_alike_right_or_wrong(toml: Toml, key: str) -> None:
    hidden = "[[commands]]\nname = 'a'\nargv = ['true']\n{} = {{ KEY = '{}' }}\n"
    path = toml(hidden.format(key, "hush-1"))
    right = outcome(path, hidden.format(key, "hush-1"))
    assert right == outcome(path, hidden.format(key, "guess"))
    assert right.refused == ("commands",)
    values = [{"name": "a", "argv": ["true"], key: {"KEY": text}} for text in ("hush-1", "guess")]
    right, wrong = (outcome(path, commands=[value]) for value in values)
    assert right == wrong
    assert right.refused == ("commands",)


def test_a_guess_of_a_secret_in_a_payload_is_always_a_change(toml: Toml) -> None:
    text = "[[schedules]]\nname = 'a'\ntype = 't'\nevery = 60\npayload.env.KEY = '{}'\n"
    path = toml(text.format("hush-1"))
    for guess in ("hush-1", "guess"):
        assert outcome(path, text.format(guess)).changed == ("schedules: a",)
    assert outcome(path, text.format(MASK)).changed == ()


def test_a_mask_in_a_value_stands_for_the_secret_too(toml: Toml) -> None:
    text = "[[schedules]]\nname = 'a'\ntype = 't'\nevery = 60\npayload.env.KEY = 'hush-1'\n"
    path = toml(text)
    (shown,) = [one.value for one in desk(path).show().settings if one.key == "schedules"]
    assert shown[0]["payload"] == {"env": {"KEY": MASK}}
    schedule = {"name": "a", "type": "u", "every": 60, "payload": {"env": {"KEY": MASK}}}
    apply(desk(path), Edit(values={"schedules": [schedule]}))
    assert tomllib.loads(path.read_text())["schedules"][0] == {
        **schedule, "payload": {"env": {"KEY": "hush-1"}},
    }  # fmt: skip
    assert outcome(path, schedules=[{**schedule, "name": "b"}]).problems
    assert outcome(path, jobs__modules=[MASK]).problems


def test_a_schedule_that_cannot_make_its_job_is_a_problem_with_its_line(toml: Toml) -> None:
    text = "[[schedules]]\nname = 'a'\ntype = 'x'\nevery = 60\n"
    seen: list[object] = []

    def refuse(stored: StoredSettings) -> dict[tuple[str, int], str]:
        seen.extend(one.type for one in stored.schedules)
        return {("schedules", 0): "no job type is called 'x'"}

    (problem,) = desk(toml("")).plan(Edit(text), None, refuse).outcome.problems
    assert (problem.key, problem.line) == ("schedules.a", 1)
    assert (problem.detail, seen) == ("no job type is called 'x'", ["x"])


@pytest.mark.parametrize(
    "moved",
    [
        lambda text: text + f'[queues.a]\nrate = "{MASK}"\n',
        lambda text: text + f"# {MASK}\n",
        lambda text: text.replace("KEY", "OTHER"),
        lambda text: text.replace('"mail"', '"letters"'),
    ],
)
def test_a_mask_stands_for_a_secret_only_where_one_was(
    toml: Toml, moved: Callable[[str], str]
) -> None:
    found = outcome(toml(SECRETS), moved(masked(SECRETS)[0]))
    assert found.problems and found.text is None
    assert "hush" not in repr(found)


def test_a_broken_file_can_be_mended_as_long_as_it_is_toml(toml: Toml) -> None:
    path = toml('[api]\nport = "x"\n')
    found = outcome(path, "[api]\nport = 5\n")
    assert (found.problems, found.changed) == ((), None)
    with pytest.raises(NotEditable, match="not TOML now"):
        outcome(toml("[api"), "")


# What is written


def test_the_file_is_replaced_whole_with_its_mode_and_a_backup(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n")
    path.chmod(0o640)
    file = desk(path)
    etag = apply(file, Edit(values={"api.port": 2}))
    assert path.read_text() == "[api]\nport = 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    backup = path.with_name("orpheus.toml.bak")
    assert backup.read_text() == "[api]\nport = 1\n"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert etag == file.show().etag
    assert {one.name for one in path.parent.iterdir()} == {path.name, backup.name}


def test_what_a_link_points_to_is_replaced_and_the_link_stays(own_directory: Path) -> None:
    (own_directory / "real").mkdir()
    real = own_directory / "real" / "a.toml"
    real.write_text("")
    link = own_directory / "link.toml"
    link.symlink_to(real)
    file = desk(link)
    apply(file, Edit(values={"api.port": 2}))
    assert link.is_symlink()
    assert "port = 2" in real.read_text()


def test_secrets_are_written_as_they_were(toml: Toml) -> None:
    path = toml(SECRETS)
    file = desk(path)
    shown = file.show()
    assert shown.text is not None
    text = shown.text.replace('"info"', '"debug"')
    apply(file, Edit(text))
    assert path.read_text() == SECRETS.replace('"info"', '"debug"')


def test_a_file_that_changed_since_it_was_read_is_left_alone(toml: Toml) -> None:
    path = toml("[api]\nport = 1\n")
    file = desk(path)
    seen = file.show().etag
    assert seen is not None
    planned = file.plan(Edit(""), [seen], no_refusal)
    path.write_text("[api]\nport = 12\n")
    with pytest.raises(FileChanged), file.prepared(planned, "api:test", None) as replace:
        replace()
    with pytest.raises(FileChanged):
        file.plan(Edit(""), [seen], no_refusal)
    assert path.read_text() == "[api]\nport = 12\n"


def test_an_edit_that_was_made_counts_whatever_is_done_to_the_file_next(
    toml: Toml, own_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toml("[api]\nport = 1\n")
    state = state_files(f"sqlite:///{own_directory}/a.db")
    file = ConfigurationFile(path, (), {}, state)

    def replace_and_spoil(*arguments: Any) -> bool:
        done = replace_file(*arguments)
        path.write_bytes(b"\xff")
        return done

    monkeypatch.setattr("orpheus.config.editing.file.replace_file", replace_and_spoil)
    assert apply(file, Edit(values={"api.port": 2}))
    newest, first = file.versions()
    assert (newest.version.by, newest.version.text) == ("api:test", "[api]\nport = 2\n")
    assert not newest.is_in_file
    assert not first.is_in_file
