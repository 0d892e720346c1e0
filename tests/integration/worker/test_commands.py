"""`[[commands]]`: programs as jobs, with real workers."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.jobs import Job, Status
from tests.machine import slowness

Start = Callable[..., Any]
Wait = Callable[..., Any]


def command(name: str, *argv: str, **changes: Any) -> CommandSettings:
    values: dict[str, Any] = {
        "timeout_s": None,
        "max_retries": None,
        "cwd": "",
        "env": {},
        "success_codes": (0,),
        **changes,
    }
    return CommandSettings(name, argv, **values)


def shell(name: str, script: str, *arguments: str, **changes: Any) -> CommandSettings:
    """A command whose program is a shell, as a user may write it."""
    return command(name, "sh", "-c", script, "sh", *arguments, **changes)


COMMANDS = (
    shell("show", 'for one; do echo "<$one>"; done', "{text}", "n={n}", "{flag}"),
    shell(
        "talk",
        'echo out; echo err >&2; until [ -e "$1" ]; do sleep 0.02; done; '
        "printf 'with a return\\r\\nbad \\377 byte\\nno newline'",
        "{file}",
    ),
    shell("flood", "yes | head -n 1000000; head -c 3000000 /dev/zero | tr '\\0' x"),
    shell("fail", "seq 1 50; exit 3"),
    shell("grep", "exit 1", success_codes=(0, 1)),
    shell("again", 'echo "$JOB_ID $JOB_ATTEMPT"; test $JOB_ATTEMPT = 3'),
    command("absent", "no-such-program", "{x}"),
    command("forbidden", "/etc/hosts", "{x}"),
    command("homeless", "true", "{x}", cwd="/no/where"),
    command("script", "{x}"),
    shell("strict", "true", "{x}"),
    shell("tidy", "trap 'echo tidied; exit 0' TERM; echo started; while :; do sleep 0.02; done"),
    shell(
        "where",
        'pwd; echo "$COLOUR"; test -n "$PATH"; cat',
        cwd="/",
        env={"COLOUR": "red = {not_a_field}"},
    ),
    shell("leave", 'sleep 600 & echo $! > "$1"; echo started', "{file}"),
)


@pytest.fixture(scope="module")
def worker_with_commands(shared_workers: Any) -> Any:
    return shared_workers.supervised(commands=COMMANDS).wait_until_ready()


@pytest.fixture
def submit(shared_database: Any, worker_with_commands: Any) -> Callable[..., int]:
    """Submits a job of one of COMMANDS; its id."""

    def submit_once(name: str, payload: dict[str, Any] | None = None, **fields: Any) -> int:
        values = {"max_retries": 0, **fields}
        job_id: int = shared_database.submit(name, json.dumps(payload or {}), **values)
        return job_id

    return submit_once


@pytest.fixture
def run(shared_database: Any, submit: Callable[..., int]) -> Callable[..., Job]:
    """Runs one of COMMANDS once; the job at its end."""

    def run_once(name: str, payload: dict[str, Any] | None = None, **fields: Any) -> Job:
        job = shared_database.wait(submit(name, payload, **fields))
        assert isinstance(job, Job)
        return job

    return run_once


def lines_of(database: Any, job_id: int) -> list[tuple[str, str]]:
    return [(one.level, one.line) for one in database.store.logs.after(job_id, 0, 20_000)]


def waiting(file: Path) -> str:
    """Tell the shell's pid in a file, then sleep."""
    return f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 600"


def is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_fields_arrive_as_single_arguments_whatever_they_say(
    shared_database: Any, run: Callable[..., Job]
) -> None:
    text = "two words; $(touch x) `id` * '\" \\ é"
    job = run("show", {"text": text, "n": 5, "flag": False})
    assert (job.status, job.result) == (Status.DONE, '{"exit_code":0}')
    assert lines_of(shared_database, job.id) == [
        ("info", f"<{text}>"),
        ("info", "<n=5>"),
        ("info", "<false>"),
    ]


def test_output_is_in_the_log_while_the_program_runs(
    shared_database: Any, submit: Callable[..., int], tmp_path: Path, wait_for: Wait
) -> None:
    go_on = tmp_path / "go-on"
    job_id = submit("talk", {"file": str(go_on)})
    wait_for(lambda: len(lines_of(shared_database, job_id)) == 2, "two lines")
    assert set(lines_of(shared_database, job_id)) == {("info", "out"), ("warning", "err")}
    go_on.touch()
    shared_database.wait(job_id)
    assert lines_of(shared_database, job_id)[2:] == [
        ("info", "with a return"),
        ("info", "bad \\xff byte"),
        ("info", "no newline"),
    ]


def test_output_without_end_neither_fills_the_log_nor_blocks_the_program(
    shared_database: Any, run: Callable[..., Job]
) -> None:
    job = run("flood")
    assert job.status is Status.DONE
    lines = lines_of(shared_database, job.id)
    assert len(lines) == 10_000
    assert "the rest is dropped" in lines[-1][1]


def test_an_exit_code_not_in_success_codes_is_a_failure_with_the_last_lines(
    shared_database: Any, run: Callable[..., Job]
) -> None:
    job = run("fail")
    assert (job.status, job.error and job.error.type) == (Status.FAILED, "CommandFailed")
    assert job.error is not None
    assert job.error.message.startswith("exit code 3; its last lines:\n41\n42\n")
    assert job.error.message.endswith("\n50")
    assert shared_database.outcomes(job.id) == ["failed"]


def test_a_failure_is_retried_and_the_program_knows_job_and_attempt(
    shared_database: Any, run: Callable[..., Job]
) -> None:
    job = run("again", max_retries=3)
    assert job.status is Status.DONE
    assert [line for _, line in lines_of(shared_database, job.id)] == [
        f"{job.id} {attempt}" for attempt in (1, 2, 3)
    ]


def test_env_is_added_and_cwd_is_where_it_runs(
    shared_database: Any, run: Callable[..., Job]
) -> None:
    job = run("where")
    assert job.status is Status.DONE
    assert [line for _, line in lines_of(shared_database, job.id)] == ["/", "red = {not_a_field}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "program 'no-such-program' cannot be started: No such file or directory"),
        ("forbidden", "cannot be started: Permission denied"),
        ("homeless", "its cwd '/no/where' cannot be entered"),
        ("script", "Exec format error"),
    ],
)
def test_a_program_that_cannot_be_started_fails_permanently_with_the_reason(
    shared_database: Any, run: Callable[..., Job], tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "script").touch(0o755)
    job = run(name, {"x": str(tmp_path / "script")}, max_retries=3)
    assert (job.status, job.error and job.error.type) == (Status.FAILED, "PermanentError")
    assert job.error is not None
    assert reason in job.error.message
    assert shared_database.outcomes(job.id) == ["failed"]


def test_a_timeout_or_a_cancel_ends_what_ignores_it_with_its_group_and_the_worker_lives_on(
    database: Any, start_supervised: Start, tmp_path: Path, wait_for: Wait
) -> None:
    pids, file = tmp_path / "pids", tmp_path / "pid"
    stubborn = shell("stubborn", f"trap '' TERM; {waiting(file)}")
    script = f"trap '' TERM; sleep 600 & echo $$ $! > {pids}; wait"
    worker = start_supervised(
        commands=(shell("slow", script), shell("quick", "true"), stubborn), cancel_grace_s=0.3
    ).wait_until_ready()
    job_id = database.submit("slow", timeout_s=2, max_retries=0)
    job = database.wait(job_id)
    assert (job.status, job.error.type) == (Status.FAILED, "JobTimeout")
    assert "its timeout of 2 s" in job.error.message
    assert database.outcomes(job_id) == ["timed_out"]
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 2
    wait_for(lambda: all(is_dead(pid) for pid in started), "the end of both")
    assert database.wait(database.submit("quick")).status is Status.DONE
    is_killed_after_the_grace_once_it_is_cancelled(database, file, wait_for)
    assert worker.says("recycle") is None
    assert worker.process.poll() is None


def is_killed_after_the_grace_once_it_is_cancelled(
    database: Any, file: Path, wait_for: Wait
) -> None:
    job_id = database.submit("stubborn")
    wait_for(file.exists, "its pid")
    database.store.jobs.cancel(job_id)
    assert database.wait(job_id).status is Status.CANCELLED
    wait_for(lambda: is_dead(int(file.read_text())), "its end")


def test_processes_that_a_program_leaves_running_are_killed_and_delay_nothing(
    shared_database: Any, run: Callable[..., Job], tmp_path: Path, wait_for: Wait
) -> None:
    file = tmp_path / "pid"
    began_s = time.monotonic()
    job = run("leave", {"file": str(file)})
    assert job.status is Status.DONE
    assert time.monotonic() - began_s < 10 * slowness()
    assert lines_of(shared_database, job.id) == [("info", "started")]
    wait_for(lambda: is_dead(int(file.read_text())), "the end of the process, which was killed")


def test_a_worker_that_must_stop_ends_the_program_before_it_releases_the_job(
    database: Any, start_supervised: Start, tmp_path: Path, wait_for: Wait
) -> None:
    file = tmp_path / "pid"
    worker = start_supervised(
        commands=(shell("long", f"trap '' TERM; {waiting(file)}"),), stop_timeout_s=0.2
    ).wait_until_ready()
    job_id = database.submit("long", max_retries=0)
    wait_for(file.exists, "its pid")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 4
    assert is_dead(int(file.read_text()))
    assert database.outcomes(job_id) == ["released"]
    assert database.store.jobs.get(job_id).status is Status.PENDING
