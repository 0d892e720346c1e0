"""The command `orpheus`: help, usage errors, starting, and what every command has in common."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click import Context

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.app import orpheus as group
from tests.audit_log import entries_of
from tests.machine import PATIENCE_S

Orpheus = Callable[..., Any]
ROOT = Path(__file__).parents[4]


def test_help_lists_the_commands_and_how_to_complete_them(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("--help")
    assert code == 0
    for command in ("submit", "jobs", "logs", "pause", "schedules", "status", "config", "db"):
        assert f"\n  {command} " in out
    assert "orpheus completion bash" in out


@pytest.mark.parametrize(
    "code",
    [
        "run(['--help'])",
        "run(['--version'])",
        "print([one.value for one in orpheus.shell_complete(Context(orpheus), 'sc')])",
    ],
)
def test_help_and_the_completion_of_names_import_no_command(code: str) -> None:
    program = (
        "import sys; before = set(sys.modules); from click import Context;"
        "from orpheus.supervisor.__main__ import run;"
        f"from orpheus.supervisor.cli.app import orpheus; {code};"
        "heavy = {'pydantic', 'apsw', 'rich', 'structlog', 'jsonschema_rs', 'pathlib'};"
        "print(sorted(heavy & set(sys.modules) - before));"
        "ours = [one for one in sys.modules if one.startswith('orpheus.supervisor.cli.')];"
        "print(sorted(ours))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
    ).stdout
    ours = b"['orpheus.supervisor.cli.app', 'orpheus.supervisor.cli.group']"
    assert out.splitlines()[-2:] == [b"[]", ours]


@pytest.mark.parametrize("group", ["config", "db", "import", "schedules", "outbox"])
def test_the_help_of_a_group_is_never_cut(
    group: str, orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = orpheus(group, "--help").out.partition("Commands:")
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["jbos"], "orpheus: No such command 'jbos'; did you mean 'jobs'?"),
        (["config", "chek"], "orpheus config: No such command 'chek'; did you mean 'check'?"),
        (["xyzzy"], "orpheus: No such command 'xyzzy'. (see orpheus --help)"),
    ],
)
def test_an_unknown_command_names_the_nearest(
    arguments: list[str], message: str, orpheus: Orpheus
) -> None:
    assert orpheus(*arguments).err.startswith(message)


def test_command_names_are_completed() -> None:
    completed = group.shell_complete(Context(group), "sc")
    assert [(one.value, one.help) for one in completed] == [
        (
            "scale",
            "Run N workers or instances of NAME until the file's number changes, or a restart.",
        ),
        ("schedules", "List schedules and when they run next; show, run, pause or resume one."),
    ]


def test_the_list_of_commands_says_what_each_command_says_itself() -> None:
    context = Context(group)
    names = group.list_commands(context)
    assert names == sorted(names)
    for item in group.shell_complete(context, ""):
        command = group.get_command(context, item.value)
        assert command is not None
        assert item.help == command.get_short_help_str(limit=100)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["jobs", "--nonsense"],
        ["jobs", "--status", "odd"],
        ["jobs", "--q", ""],
        ["jobs", "--tag", "\udcff"],
        ["jobs", "--error", "E", "--where", "\udcff"],
        ["show", "x"],
        ["cancel"],
        ["cancel", "1", "--reason", ""],
        ["cancel", "1", "--reason", "r" * 1_001],
        ["run"],
        ["run", "1", "2"],
        ["delete", "0"],
        ["delete", str(2**63)],
        ["pause"],
        ["pause", "a b"],
        ["resume", "*"],
        ["submit", "count", "n=1", "--depends-on", "x"],
        ["submit", "count", "n=1", "--on-dependency-failure", "ignore"],
        ["submit", "count", "n=1", "--max-retries", "many"],
        ["db", "nonsense"],
        ["db", "backup"],
    ],
)
def test_a_usage_error_is_one_line_and_exits_2(arguments: list[str], orpheus: Orpheus) -> None:
    code, out, err = orpheus(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--help" in err


def test_a_number_has_no_end_in_the_help_that_only_the_database_sets(orpheus: Orpheus) -> None:
    assert "[x>=1]" in orpheus("submit", "--help").out
    assert "must be 9223372036854775807 or less" in orpheus("show", str(2**63)).err
    assert "must be 10000 or less, not 10001" in orpheus("jobs", "--limit", "10001").err


def test_without_a_command_the_supervisor_runs(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def run_supervisor(read: Callable[[], Any], _: object, sets: Sequence[str]) -> int:
        started.append((read().api.port, tuple(sets)))
        return 4

    monkeypatch.setattr("orpheus.supervisor.run.run_supervisor", run_supervisor)
    assert orpheus("--set", "api.port=0").code == 4
    assert started == [(0, ("api.port=0",))]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["config", "check"],
        ["config", "show"],
        ["healthcheck"],
        ["submit", "x"],
        ["scale", "default", "2"],
    ],
)
def test_every_problem_of_the_configuration_is_told_and_exits_78(
    arguments: list[str], orpheus: Orpheus
) -> None:
    code, out, err = orpheus("--set", "api.prot=1", "--set", "jobs.timeout=x", *arguments)
    assert (code, out) == (78, "")
    assert len(err.splitlines()) == 2
    assert "did you mean api.port?" in err


BROKEN = [
    '[api]\nprot = 1\nport = "x"\n',
    "[pools.Mail]\n",
    '[api]\nport = = 1\n[database]\nurl = "sqlite:///{url}" # here\n',
    'database = {{ url = "sqlite:///{url}" }}\n[api\n',
    '[database]\ndurability = "none"\n',
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_mistake_in_the_file_stops_no_command_that_needs_only_the_database(
    orpheus: Orpheus, store: Store, finish: Callable[..., None], tmp_path: Path, text: str
) -> None:
    (tmp_path / "own.toml").write_text(text.format(url="data/orpheus.db"))
    job_id = store.jobs.submit(NewJob("count", '{"n":1}')).job.id
    finish(store)
    for command in (
        ["jobs"], ["show", str(job_id)], ["logs", str(job_id)], ["queues"], ["schedules"],
        ["types"], ["db", "check"], ["db", "verify"], ["db", "backup", "copy.db"],
        ["pause", "mail"], ["resume", "mail"], ["delete", str(job_id)],
    ):  # fmt: skip
        code, out, err = orpheus("--config", "own.toml", *command)
        assert code == 0, err
        assert out or command[0] == "logs"
        first, *more = err.splitlines()
        assert first.startswith("orpheus: warning: own.toml:")
        told = {
            "queues": ["nothing runs; `orpheus --config own.toml` starts it"],
            "schedules": ["nothing runs; `orpheus --config own.toml` starts it"],
            "resume": ["nothing runs; `orpheus --config own.toml` starts it"],
            "logs": ["job 1 (done) has written nothing"],
        }
        assert more == told.get(command[0], [])
    for command in (["status"], ["workers"], ["restart", "default-1"]):
        assert "warning: own.toml" in orpheus("--config", "own.toml", *command).err


@pytest.mark.parametrize(
    "text",
    [
        "[database]\nurl = 5\n",
        '[databse]\nurl = "sqlite:///other.db"\n',
        '[database]\nulr = "sqlite:///other.db"\n',
        'url = "sqlite:///other.db"\n',
        '[database\nurl = "sqlite:///other.db"\n',
        '[database]\nurl = "sqlite:///other.db\n',
        "database = 5\n",
        None,
        "\udcff",
    ],
)
def test_a_command_works_on_no_database_that_may_be_another_than_the_one_meant(
    orpheus: Orpheus, store: Store, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "own.toml").write_text(text, errors="surrogateescape")
    code, out, err = orpheus("--config", "own.toml", "jobs")
    assert (code, out) == (78, "")
    assert "own.toml" in err and "--set database.url=" in err
    url = "database.url=sqlite:///data/orpheus.db"
    assert orpheus("--config", "own.toml", "--set", url, "jobs").code == 0


def test_a_missing_database_exits_74_and_is_not_created(orpheus: Orpheus, tmp_path: Path) -> None:
    for command in (
        ["jobs"],
        ["submit", "count", "n=1"],
        ["status"],
        ["show", "1"],
        ["queues"],
        ["pause", "mail"],
        ["schedules"],
        ["db", "check"],
        ["db", "verify"],
        ["db", "backup", "copy.db"],
    ):
        code, out, err = orpheus(*command)
        assert (code, out, err.count("\n")) == (74, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_the_reader_of_a_pipe_may_leave(store: Store, tmp_path: Path) -> None:
    store.jobs.submit_many([NewJob("count", '{"n":1}')] * 1_000)
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from orpheus.supervisor.__main__ import main; main()",
            "jobs",
            "--json",
            "--limit",
            "1000",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(30) == 141, "as if SIGPIPE had ended it; 1 is an answer"
    child.stderr.close()


def run_in(folder: Path, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run `orpheus ARGUMENTS…` as a process."""
    main = "from orpheus.supervisor.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", main, *arguments],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        **{"stdout": subprocess.PIPE, "env": {"PYTHONPATH": str(ROOT)}, **options},
    )


def test_output_that_nothing_can_take_is_one_line_on_stderr(store: Store, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = run_in(tmp_path, "types", stdout=full)
    assert (ended.returncode, ended.stderr) == (
        1,
        "orpheus: the output cannot be written: No space left on device\n",
    )


def test_a_user_without_a_name_is_recorded_by_number(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_name() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", no_name)
    assert orpheus("pause", "mail").code == 0
    assert entries_of(store, 1)[0].by == f"cli:{os.getuid()}"


def test_a_number_that_is_none_is_told_in_plain_words(orpheus: Orpheus) -> None:
    assert "'abc' is not a valid whole number." in orpheus("show", "abc").err
    assert "'many' is not a valid whole number." in orpheus("scale", "default", "many").err


def test_what_is_neither_a_job_nor_a_slot_is_told_so(orpheus: Orpheus, store: Store) -> None:
    told = orpheus("logs", "web")
    assert told.code == 2
    assert "'web' is neither the id of a job nor a slot of a program, as web-1 is." in told.err
