"""The command line: what it prints and what it exits with, on a real database."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.domain.rates import Rate
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.storage import Finished, NewLine, QueueRules, Store, TypeRow, open_store
from orpheus.supervisor import __main__ as program
from orpheus.supervisor.cli import system
from orpheus.supervisor.cli.submit import submit

ROOT = Path(__file__).parents[4]
URL = "sqlite:///data/orpheus.db"
WORKER = Holder("default-1", "incarnation", 7)


class Answer(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Orpheus = Callable[..., Answer]


@pytest.fixture
def orpheus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Orpheus:
    """Runs `orpheus ARGUMENTS…` in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORPHEUS_CONFIG", raising=False)

    def run(*arguments: str) -> Answer:
        code = program.run(arguments)
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def store(orpheus: Orpheus) -> Iterator[Store]:
    """The database `orpheus` opens, with two job types."""
    store = open_store(URL, create=True)
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 0}, "text": {"type": "string"}},
        "additionalProperties": False,
    }
    store.types.replace(
        [
            TypeRow("count", json.dumps(schema | {"required": ["n"]}), None, None, None, "Counts."),
            TypeRow("words", json.dumps(schema), 5, 30.0, "mail", ""),
        ]
    )
    yield store
    store.close()


def finish(store: Store, ending: Ending = Ending.SUCCEEDED, error: JobError | None = None) -> None:
    """Runs the next due job, in no time."""
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    result = '{"sum":3}' if ending is Ending.SUCCEEDED else None
    store.leases.finish([Finished(lease, ending, result, error)])


def in_background(work: Callable[[Store], None]) -> threading.Thread:
    """Does `work` on a store of its own while a command waits."""

    def run() -> None:
        store = open_store(URL)
        try:
            work(store)
        finally:
            store.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def when_pending(store: Store, job_id: int) -> None:
    """Waits until that job is there."""
    for _ in range(1_000):
        if store.stats.counts()["pending"] >= job_id:  # type: ignore[index]
            return
        threading.Event().wait(0.01)
    raise AssertionError("no job was submitted")


# Starting, help, usage


def test_help_lists_the_commands_and_how_to_complete_them(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("--help")
    assert code == 0
    for command in ("submit", "jobs", "logs", "pause", "schedules", "status", "config", "db"):
        assert f"\n  {command} " in out
    assert "_ORPHEUS_COMPLETE=bash_source orpheus" in out


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from orpheus.supervisor.__main__ import run; run(['submit', '--help']);"
        "print(sorted({'pydantic', 'apsw', 'rich', 'structlog', 'jsonschema_rs', 'orjson'}"
        " & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
    ).stdout
    assert out.splitlines()[-1] == b"[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["jobs", "--nonsense"],
        ["jobs", "--status", "odd"],
        ["jobs", "--q", ""],
        ["jobs", "--tag", "\udcff"],
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


def test_without_a_command_the_supervisor_runs(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def run_supervisor(read: Callable[[], Any], sets: Sequence[str]) -> int:
        started.append((read().api.port, tuple(sets)))
        return 4

    monkeypatch.setattr("orpheus.supervisor.run.run_supervisor", run_supervisor)
    assert orpheus("--set", "api.port=0").code == 4
    assert started == [(0, ("api.port=0",))]


def test_settings_are_taken_before_and_after_the_command(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("--set", "api.port=1", "config", "show", "--set", "jobs.timeout=1m")
    assert code == 0
    assert "api.port = 1 " in out
    assert "jobs.timeout = 60 " in out
    assert out.count("# --set") == 2


@pytest.mark.parametrize("arguments", [[], ["jobs"], ["config", "check"], ["healthcheck"]])
def test_every_problem_of_the_configuration_is_told_and_exits_78(
    arguments: list[str], orpheus: Orpheus
) -> None:
    code, out, err = orpheus("--set", "api.prot=1", "--set", "jobs.timeout=x", *arguments)
    assert (code, out) == (78, "")
    assert len(err.splitlines()) == 2
    assert "did you mean api.port?" in err


def test_a_good_configuration_is_said_to_be_one(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("api.port = 9000\n")
    assert orpheus("config", "check").out == "no file, the defaults: ok\n"
    assert orpheus("config", "check", "--config", "own.toml").out == "own.toml: ok\n"
    shown = orpheus("config", "show", "--config", "own.toml", "--json").json
    assert shown["api"]["port"] == 9000
    assert shown["source"] == "own.toml"


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
    assert child.wait(30) == 1
    child.stderr.close()


# Submitting


def test_a_job_is_submitted_from_fields(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("submit", "count", "n=3", "--priority", "5", "--delay", "1h")
    assert (code, out) == (0, "job 1 submitted\n")
    job = store.jobs.get(1)
    assert (job.payload, job.priority) == ('{"n":3}', 5)
    assert job.run_at_ms - job.created_at_ms == 3_600_000


def test_a_job_is_submitted_from_json_and_shown_as_json(orpheus: Orpheus, store: Store) -> None:
    job = orpheus("submit", "words", '{"n": 3}', "--json", "--queue", "other").json
    assert job["payload"] == {"n": 3}
    assert (job["queue"], job["max_retries"], job["timeout"]) == ("other", 5, 30.0)


def test_a_field_that_is_text_stays_text(orpheus: Orpheus, store: Store) -> None:
    orpheus("submit", "words", "text=5", "n=5")
    assert store.jobs.get(1).payload == '{"text":"5","n":5}'


def test_a_job_is_submitted_with_all_that_can_be_said(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    code, *_ = orpheus(
        *("submit", "count", "n=3", "--max-retries", "0", "--timeout", "2m"),
        *("--tag", "a", "--tag", "b", "--depends-on", "1", "--depends-on", "2"),
        *("--on-dependency-failure", "run"),
    )
    job = store.jobs.get(3)
    assert (code, job.status, job.depends_on) == (0, "blocked", (1, 2))
    assert (job.max_retries, job.timeout_s, job.tags) == (0, 120.0, ("a", "b"))
    assert "depends on  1, 2" in orpheus("show", "3").out
    store.jobs.cancel(1)
    store.jobs.cancel(2)
    assert store.jobs.get(3).status == "pending"


def test_a_live_job_with_the_same_key_is_named_instead(orpheus: Orpheus, store: Store) -> None:
    orpheus("submit", "count", "n=1", "--unique-key", "k")
    code, out, _ = orpheus("submit", "count", "n=2", "--unique-key", "k")
    assert (code, out) == (0, "job 1 is live with this unique key\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["cuont", "n=1"], "type: no job type is called 'cuont'; did you mean 'count'?"),
        (["count"], "payload.n: is required"),
        (["count", "n=-1", "m=1"], "payload.m: is not a field of this job type"),
        (["count", "n=1", "--queue", "a b"], "queue: "),
        (["count", "n=1", "--delay", "soon"], "delay: 'soon' is no duration"),
        (["count", "n=1", "--timeout", "0"], "timeout: must be longer than 0"),
        (["count", "n=1", "--max-retries", "101"], "max_retries: must be an integer from 0 to 100"),
        (["count", "n=1", "--tag", "ok", "--tag", "a b"], "tags.1: is no name"),
        (["count", "n=1", "--depends-on", "99"], "there is no job 99"),
    ],
)
def test_a_job_that_is_not_accepted_exits_1_with_the_reason_and_stores_nothing(
    arguments: list[str], reason: str, orpheus: Orpheus, store: Store
) -> None:
    code, out, err = orpheus("submit", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err
    assert sum(store.stats.counts().values()) == 0


@pytest.mark.parametrize("payload", ['{"n":', "n", "=1"])
def test_a_payload_that_is_no_payload_is_a_usage_error(
    payload: str, orpheus: Orpheus, store: Store
) -> None:
    assert orpheus("submit", "count", payload).code == 2


def test_waiting_prints_the_result_and_exits_0_when_done(orpheus: Orpheus, store: Store) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other)

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out, err) == (0, '{"sum":3}\n', "job 1 submitted\n")


def test_waiting_exits_1_with_the_error_when_the_job_failed(orpheus: Orpheus, store: Store) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other, Ending.FAILED_PERMANENTLY, JobError("ValueError", "no", None))

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait", "--json")
    worker.join()
    assert (code, json.loads(out)["status"], err) == (1, "failed", "")


def test_a_terminal_sees_progress_while_it_waits(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def work(other: Store) -> None:
        when_pending(other, 1)
        (lease,) = other.leases.lease(WORKER, ("*",), 1, 30_000)
        other.leases.progress(lease.job_id, lease.token, 0.5, "half way")
        threading.Event().wait(0.3)
        other.leases.finish([Finished(lease, Ending.SUCCEEDED, "1")])

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out) == (0, "1\n")
    assert "half way" in err


# Looking


def test_jobs_are_listed_newest_first_and_filtered(orpheus: Orpheus, store: Store) -> None:
    mail = NewJob("words", '{"text":"100%"}', queue="mail", tags=("t",))
    store.jobs.submit_many([NewJob("count"), mail, NewJob("count")])
    finish(store)
    out = orpheus("jobs").out.splitlines()
    assert out[0].split() == [
        "ID",
        "TYPE",
        "STATUS",
        "QUEUE",
        "ATTEMPT",
        "CREATED",
        "RAN",
        "WORKER",
        "NOTE",
    ]
    assert [line.split()[0] for line in out[1:]] == ["3", "2", "1"]
    for option, ids in (
        (["--type", "count"], [3, 1]),
        (["--queue", "mail"], [2]),
        (["--tag", "t"], [2]),
        (["--q", "100%"], [2]),
        (["--q", "nowhere"], []),
        (["--status", "done"], [1]),
        (["--limit", "1"], [3]),
    ):
        assert [job["id"] for job in orpheus("jobs", "--json", *option).json["items"]] == ids
    assert "the newest 1 of 3" in orpheus("jobs", "--limit", "1").err


def test_a_terminal_gets_a_drawn_table_whatever_a_job_wrote(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "[red]\x1b[2J", None))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    out = orpheus("jobs").out
    assert "─" in out
    assert "[red]\\x1b[2J" in out
    assert "\x1b[2J" not in out


def test_a_job_is_shown_with_its_attempts_and_its_error(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", '{"n":1}', max_retries=0))
    finish(store, Ending.FAILED, JobError("ValueError", "no", "Traceback:\n  line\nValueError: no"))
    out = orpheus("show", "1").out
    assert "failed" in out
    assert '{"n":1}' in out
    assert "ValueError: no" in out
    assert "  Traceback:" in out
    job = orpheus("show", "1", "--json").json
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["failed"]


def test_an_unknown_job_exits_1(orpheus: Orpheus, store: Store) -> None:
    for command in ("show", "logs", "cancel", "retry", "run", "delete"):
        code, _, err = orpheus(command, "99")
        assert (code, err) == (1, "orpheus: there is no job 99\n")


def test_a_log_is_printed_and_followed_to_the_end_of_the_job(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit(NewJob("count"))
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    first = NewLine(0, "info", "first\x1b[2J", '{"path": "a b"}')
    store.logs.append(1, lease.token, 1, [first])
    assert '#1 info    first\\x1b[2J path="a b"\n' in orpheus("logs", "1").out

    def work(other: Store) -> None:
        other.logs.append(1, lease.token, 1, [NewLine(1, "warning", "second")])
        threading.Event().wait(0.2)
        other.logs.append(1, lease.token, 1, [NewLine(2, "info", "last")])
        other.leases.finish([Finished(lease, Ending.SUCCEEDED, "1")])

    worker = in_background(work)
    out = orpheus("logs", "1", "--follow", "--json").out
    worker.join()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["line"] for line in lines] == ["first\x1b[2J", "second", "last"]


def test_types_are_listed_with_the_defaults_in_force(orpheus: Orpheus, store: Store) -> None:
    out = orpheus("types").out
    assert "n text?" in out
    items = orpheus("types", "--json", "--set", "jobs.max_retries=9").json["items"]
    assert [item["defaults"]["max_retries"] for item in items] == [9, 5]


def test_queues_are_listed_with_their_counts(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("words", queue="mail"), NewJob("count")])
    finish(store)
    items = {item["name"]: item for item in orpheus("queues", "--json").json["items"]}
    assert items["default"]["counts"]["done"] == 1
    assert items["default"]["counts"]["pending"] == 1
    assert items["mail"]["oldest_pending_s"] is not None
    assert orpheus("queues").out.splitlines()[1].split()[:2] == ["default", "open"]


def test_queues_are_listed_with_their_limits(orpheus: Orpheus, store: Store) -> None:
    store.queues.configure({"mail": QueueRules(max_running=2, rate=Rate(per_s=5, burst=5))})
    (item,) = orpheus("queues", "--json").json["items"]
    assert (item["paused"], item["max_running"], item["rate"]) == (False, 2, "5/s")
    assert orpheus("queues").out.splitlines()[1].split()[:4] == ["mail", "open", "2", "5/s"]


def test_schedules_are_listed_with_their_next_runs(orpheus: Orpheus, store: Store) -> None:
    store.schedules.configure(
        [
            ScheduleDefinition("nightly", "count", cron="0 3 * * *", timezone="Europe/Vienna"),
            ScheduleDefinition("often", "count", every_s=90),
        ]
    )
    store.schedules.pause("nightly")
    nightly, often = orpheus("schedules", "--json").json["items"]
    assert (nightly["cron"], nightly["paused"], nightly["next_runs"]) == ("0 3 * * *", True, [])
    assert (often["every"], len(often["next_runs"])) == (90.0, 5)
    _, first, second = orpheus("schedules").out.splitlines()
    assert first.split()[-1] == "paused"
    assert "every 1 min 30 s" in second
    assert second.count(":") == 4


# Changing


def test_each_job_is_cancelled_or_refused_on_its_own(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count"), NewJob("count")])
    finish(store)
    store.leases.lease(WORKER, ("*",), 1, 30_000)
    code, out, err = orpheus("cancel", "1", "2", "3")
    assert code == 1
    assert out == "job 2: asked to stop\njob 3: cancelled\n"
    assert err == "orpheus: job 1 is done: it cannot be cancelled\n"


def test_a_failed_job_is_retried(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no", None))
    code, out, _ = orpheus("retry", "1", "--json")
    assert code == 0
    assert [job["status"] for job in json.loads(out)["items"]] == ["pending"]


def test_a_delayed_job_is_run_now(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", delay_ms=60_000))
    assert orpheus("run", "1").out == "job 1: due now\n"
    finish(store)
    code, out, err = orpheus("run", "1", "--json")
    assert (code, json.loads(out), err.count("\n")) == (1, {"items": []}, 1)


def test_jobs_that_have_ended_are_deleted(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count"), NewJob("count")])
    finish(store)
    finish(store)
    assert orpheus("delete", "2").out == "job 2: deleted\n"
    code, out, err = orpheus("delete", "1", "3", "--json")
    assert (code, json.loads(out)) == (1, {"deleted": [1]})
    assert err == "orpheus: job 3 is pending: cancel it before deleting it\n"
    assert sum(store.stats.counts().values()) == 1


def test_a_queue_is_paused_and_resumed(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", queue="mail"))
    assert orpheus("pause", "mail").out == "queue mail: paused\n"
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert orpheus("queues").out.splitlines()[1].split()[:2] == ["mail", "paused"]
    item = orpheus("resume", "mail", "--json").json
    assert (item["name"], item["paused"]) == ("mail", False)
    assert len(store.leases.lease(WORKER, ("*",), 1, 30_000)) == 1


def test_what_was_done_is_in_the_trail_and_what_was_refused_is_not(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    store.jobs.submit(NewJob("count", delay_ms=60_000))
    orpheus("run", "1")
    orpheus("cancel", "1", "99", "--reason", "a mistake")
    orpheus("retry", "1")
    orpheus("retry", "1")
    orpheus("cancel", "1")
    orpheus("delete", "1")
    orpheus("pause", "mail", "--reason", "the server is down")
    orpheus("resume", "mail")
    rows = store.audit.page(99)[::-1]
    assert [(row.action, row.target) for row in rows] == [
        ("run", "job 1"),
        ("cancel", "job 1"),
        ("retry", "job 1"),
        ("cancel", "job 1"),
        ("delete", "job 1"),
        ("pause", "queue mail"),
        ("resume", "queue mail"),
    ]
    assert {row.by for row in rows} == {"cli:ada"}
    assert [row.reason for row in rows if row.reason] == ["a mistake", "the server is down"]


# The database


def test_a_sound_database_checks_and_verifies(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store)
    assert orpheus("db", "check")[:2] == (0, "the file is sound\n")
    assert orpheus("db", "verify")[:2] == (0, "every invariant holds\n")
    assert orpheus("db", "verify", "--json").json == {"ok": True, "problems": []}


@pytest.mark.parametrize(("command", "code"), [("check", 74), ("verify", 1)])
def test_what_is_wrong_is_told_line_by_line(
    command: str, code: int, orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(_: object) -> list[str]:
        return ["one thing", "another"]

    monkeypatch.setattr(type(store.maintenance), command, problems)
    assert orpheus("db", command)[:2] == (code, "one thing\nanother\n")
    told = orpheus("db", command, "--json")
    assert (told.code, told.json) == (code, {"ok": False, "problems": ["one thing", "another"]})


def test_a_file_that_is_no_database_exits_74(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orpheus.db").write_bytes(b"no database" * 1_000)
    for command in ("check", "verify"):
        code, out, err = orpheus("db", command)
        assert (code, out, err.count("\n")) == (74, "", 1)


def test_a_backup_is_a_database_and_overwrites_nothing(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    store.jobs.submit(NewJob("count"))
    assert orpheus("db", "backup", "copy.db", "--json").json == {
        "file": "copy.db",
        "bytes": (tmp_path / "copy.db").stat().st_size,
    }
    for target in ("copy.db", "nowhere/copy.db"):
        code, out, err = orpheus("db", "backup", target)
        assert (code, out, err.count("\n")) == (1, "", 1)
    (job,) = orpheus("jobs", "--json", "--set", "database.url=sqlite:///copy.db").json["items"]
    assert job["id"] == 1


# Health


def slot(name: str, state: SlotState, *, degraded: bool = False) -> dict[str, Any]:
    return {
        "slot": name,
        "pool": None if name == "api" else "default",
        "state": state,
        "degraded": degraded,
        "reason": "because",
    }


@pytest.mark.parametrize(
    ("items", "sentences"),
    [
        ([], ["nothing runs: start it with `orpheus`"]),
        ([slot("api", SlotState.READY), slot("default-1", SlotState.READY)], []),
        (
            [slot("default-1", SlotState.READY), slot("default-2", SlotState.BACKOFF)],
            [],  # the supervisor is at it
        ),
        (
            [slot("default-1", SlotState.READY), slot("default-2", SlotState.FATAL)],
            ["default-2 is fatal: because (once it is mended: orpheus restart default-2)"],
        ),
        (
            [slot("api", SlotState.STUCK), slot("default-1", SlotState.READY, degraded=True)],
            [
                "api is stuck: because (once it is mended: orpheus restart api)",
                "default-1 is degraded: because",
            ],
        ),
        ([slot("api", SlotState.READY)], ["no worker is ready"]),
    ],
)
def test_what_needs_a_person_is_told(items: list[dict[str, Any]], sentences: list[str]) -> None:
    assert list(system._trouble(items)) == sentences


def test_status_exits_1_while_nothing_runs(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert "! nothing runs" in out
    assert orpheus("status", "--json").json["needs_attention"]


def test_jobs_of_a_queue_that_no_pool_serves_need_a_person(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("words", queue="mail"))
    served = orpheus("status", "--json").json["needs_attention"]
    unserved = orpheus("status", "--json", "--set", "pools.default.queues=['a']")
    (sentence,) = set(unserved.json["needs_attention"]) - set(served)
    assert "'mail', a queue that no pool serves" in sentence


def test_workers_of_a_supervisor_that_is_gone_are_not_shown(orpheus: Orpheus, store: Store) -> None:
    record = SlotRecord(
        slot="default-1",
        pool="default",
        role=Role.WORKER,
        state=SlotState.READY,
        degraded=False,
        reason="",
        pid=1,
        incarnation="x",
        cpu_percent=None,
        rss_bytes=None,
        started_at_ms=0,
        restarts=0,
        exits=(),
    )
    store.processes.put_slots([record])
    assert orpheus("workers", "--json").json == {"items": []}
    assert orpheus("workers").code == 0


@pytest.fixture
def api() -> Iterator[Callable[[int, bytes], int]]:
    """An API that gives one answer; returns its port."""
    servers: list[ThreadingHTTPServer] = []

    def serve(status: int, body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/readyz"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


READY = b'{"status": "ready", "checks": {"database": {"status": "ok", "detail": "writable"}}}'


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(200, READY, 0), (503, b'{"status": "not_ready", "checks": {}}', 1), (200, b"<html>", 1)],
)
def test_the_health_check_is_what_the_api_says(
    status: int, body: bytes, code: int, orpheus: Orpheus, api: Callable[[int, bytes], int]
) -> None:
    assert orpheus("healthcheck", "--set", f"api.port={api(status, body)}").code == code


def test_the_health_check_fails_where_nobody_listens(orpheus: Orpheus) -> None:
    code, out, err = orpheus("healthcheck", "--set", "api.port=1")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert orpheus("healthcheck", "--set", "api.port=0").code == 1


def test_submit_offers_what_the_contract_names() -> None:
    options = {name for parameter in submit.params for name in parameter.opts}
    assert {"--queue", "--priority", "--delay", "--unique-key", "--wait", "--json"} <= options
    assert {"--depends-on", "--tag", "--max-retries", "--timeout"} <= options
