"""`orpheus jobs`, `show` and `logs`."""

import json
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import QueueRules, Rate
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
InBackground = Callable[[Callable[[Store], None]], threading.Thread]
WORKER = Holder("default-1", "incarnation", 7)


def begin_worker(store: Store) -> None:
    """Let a supervisor and the worker be there."""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot("default-1", SlotState.READY, incarnation=WORKER.incarnation)])


def test_jobs_are_listed_by_their_ends(orpheus: Orpheus, store: Store, finish: Finish) -> None:
    store.jobs.submit_many([NewJob("count")] * 3)
    finish(store)
    store.jobs.cancel(3)
    out = orpheus("jobs", "--since", "1h").out.splitlines()
    assert {line.split()[0] for line in out[1:]} == {"1", "3"}
    assert "ENDED" in out[0]
    assert "CREATED" not in out[0]
    assert len(orpheus("jobs", "--until", "2020-01-31T12:00:00Z").out.splitlines()) == 1
    assert len(orpheus("jobs", "--error", "NoSuchError").out.splitlines()) == 1


def test_a_list_by_ends_tells_when_each_ended(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store)
    store._database.run("UPDATE jobs SET created_at_ms = 86400000, finished_at_ms = ?", 2**41)
    (_, by_end), (_, newest) = (
        orpheus("jobs", *options).out.splitlines()
        for options in (("--since", "2030-01-01T00:00:00Z"), ())
    )
    assert " 2039-09-" in by_end
    assert " 1970-01-" in newest


def test_a_type_or_queue_that_nothing_names_is_warned_of(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("old", queue="mail"))
    no_type = "orpheus: warning: no job, job type or schedule has the type"
    no_queue = "orpheus: warning: no job, job type, schedule, pool or setting names a queue"
    assert orpheus("jobs", "--type", "cuont").err == f"{no_type} 'cuont'; did you mean 'count'?\n"
    assert orpheus("jobs", "--queue", "mial").err == f"{no_queue} 'mial'; did you mean 'mail'?\n"
    cancel = orpheus("cancel", "--type", "xyz", "--yes")
    assert (cancel.code, cancel.err) == (0, f"{no_type} 'xyz'\n")
    for known in (
        ("--type", "count"),
        ("--type", "old", "--status", "failed"),
        ("--queue", "default"),
    ):
        answer = orpheus("jobs", *known)
        assert (answer.code, answer.err) == (0, "no job matches\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--where", "jobs.py:12"), "--where needs --error"),
        (("--since", "1h", "--until", "2h"), "--until must be later than --since"),
        (
            ("--since", "1h", "--status", "pending"),
            "--status cannot be pending with --since",
        ),
        (("--since", "yesterday"), "nor how long ago, such as 15m"),
    ],
)
def test_a_filter_that_no_job_can_match_is_told(
    orpheus: Orpheus, store: Store, options: tuple[str, ...], words: str
) -> None:
    answer = orpheus("jobs", *options)
    assert answer.code == 2
    assert words in " ".join(answer.err.split())


def test_jobs_are_listed_newest_first_and_filtered(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
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


def test_a_list_tells_what_waits_for_its_time_and_what_is_asked_to_stop(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit(NewJob("count"))
    store.leases.lease(WORKER, ("*",), 1, 30_000)
    begin_worker(store)
    store.jobs.cancel(1)
    store.jobs.submit(NewJob("count", delay_ms=7_200_000))
    store.jobs.submit(NewJob("count"))
    _, due, delayed, stopping = orpheus("jobs").out.splitlines()
    assert due.endswith("-")
    assert re.search(rf"  due {TIME}$", delayed)
    assert stopping.endswith("  asked to stop")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert re.search(r"  due in (2 h|1 h 59 min)$", orpheus("jobs").out.splitlines()[2])


def test_a_list_tells_what_holds_back_a_whole_queue_or_type(orpheus: Orpheus, store: Store) -> None:
    store.quarantines.after = 1
    store.jobs.submit_many([NewJob("count", max_retries=0), NewJob("count")])
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.free(WORKER.incarnation, CellState(lease.token, running=True))
    for queue in ("mail", "mial", "mail"):
        store.jobs.submit(NewJob("words", queue=queue))
    store.jobs.submit(NewJob("words", queue="held", delay_ms=60_000))
    store.queues.pause("held")
    store.jobs.submit(NewJob("words", queue="held"))
    given = (
        "jobs",
        "--status",
        "pending",
        "--set",
        "pools.default.queues=['default','mail','held']",
    )
    notes = {line[:2].strip(): line for line in orpheus(*given).out.splitlines()[1:]}
    assert notes["2"].endswith("  type quarantined")
    assert notes["4"].endswith("  no pool")
    assert not re.search("no pool|paused|quarantined", notes["3"])
    assert "queue paused" not in notes["6"], "its time has not come"
    assert notes["7"].endswith("  queue paused")


def test_a_list_of_one_queue_says_why_none_of_its_jobs_starts(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit_many([NewJob("count", queue="mail"), NewJob("count")])
    assert orpheus("jobs", "--queue", "mail").err == ("nothing runs; `orpheus` starts it\n")
    begin_worker(store)
    store.processes.put_slots([slot("default-1", SlotState.FATAL)])
    assert orpheus("jobs", "--queue", "mail").err == (
        "queue mail: no worker of pool default is ready: default-1 is fatal\n"
    )
    unserved = ("jobs", "--queue", "mail", "--set", "pools.default.queues=['default']")
    assert orpheus(*unserved).err == "queue mail: no pool serves queue mail\n"
    orpheus("pause", "mail", "--reason", "a release")
    said = orpheus("jobs", "--queue", "mail", "--limit", "1")
    paused = r"queue mail: queue mail is paused by cli:\S+: a release\n"
    assert re.fullmatch(paused, said.err), said.err
    assert orpheus("jobs").err == "", "that is of no single queue"
    assert orpheus("jobs", "--queue", "mail", "--json").err == ""


def test_a_list_of_one_queue_says_which_limit_holds_its_jobs(
    orpheus: Orpheus, store: Store
) -> None:
    begin_worker(store)
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    store.queues.configure({"mail": QueueRules(rate=Rate(6, 3600))})
    store.jobs.submit_many([NewJob("count", queue="mail")] * 3)
    assert len(store.leases.lease(WORKER, ("mail",), 3, 30_000)) == 1
    told = orpheus("jobs", "--queue", "mail").err
    assert told == "queue mail: queue mail may start 6/h, and has for now\n"


def test_a_list_or_a_log_with_nothing_in_it_says_so(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    assert orpheus("jobs").err == "no job matches\n"
    assert orpheus("audit").err == "no entry matches\n"
    assert [orpheus(name, "--json").err for name in ("jobs", "audit")] == ["", ""]
    store.jobs.submit(NewJob("count"))
    assert orpheus("logs", "1") == (0, "", "job 1 (pending) has written nothing yet\n")
    finish(store)
    assert orpheus("logs", "1", "--follow").err == "job 1 (done) has written nothing\n"
    assert orpheus("logs", "1", "--json").err == ""


def test_a_list_tells_how_far_a_job_is_and_what_a_blocked_one_waits_for(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    finish(store)
    begin_worker(store)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.progress(lease.job_id, lease.token, 0.25, "page 1")
    store.jobs.submit(NewJob("words"))
    store.jobs.submit(NewJob("words", depends_on=(1, 2)))
    store.jobs.submit(NewJob("words", depends_on=(2, 3)))
    _, two, one, _, running, _ = orpheus("jobs").out.splitlines()
    assert running.endswith("  25%, page 1")
    assert one.endswith("  waits for job 2")
    assert two.endswith("  waits for job 2 and 1 more")


def test_a_tag_or_an_error_that_no_job_has_is_warned_of(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", tags=("nightly",), max_retries=0))
    finish(store, Ending.FAILED, JobError("ValueError", "no", None))
    tag, error = orpheus("jobs", "--tag", "nightyl").err, orpheus("jobs", "--error", "ValueErr").err
    assert tag == "orpheus: warning: no job has the tag 'nightyl'; did you mean 'nightly'?\n"
    start = "orpheus: warning: no job has an error 'ValueErr'"
    assert error == f"{start}; did you mean 'ValueError'?\n"
    assert orpheus("jobs", "--tag", "nightly", "--status", "done").err == "no job matches\n"
    assert orpheus("jobs", "--error", "ValueError", "--status", "done").err == "no job matches\n"


def test_a_terminal_gets_a_coloured_table_whatever_a_job_wrote(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "[red]\x1b[2J", None))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    out = orpheus("jobs").out
    assert "\x1b[31mfailed\x1b[0m" in out
    assert "E: [red]\\x1b[2J" in out
    assert "\x1b[2J" not in out


def test_a_message_of_several_lines_is_marked_where_its_first_is_shown(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", max_retries=0))
    finish(store, Ending.FAILED, JobError("E", "one\ntwo", None))
    listed, shown = orpheus("jobs").out, orpheus("show", "1").out
    assert listed.endswith("  E: one …\n")
    assert shown.split("\n\n")[1].endswith("  E: one …")
    assert "it is failed: E: one … (a retry runs it again)" in orpheus("why", "1").out


def test_a_job_is_shown_with_its_attempts_and_its_error(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", '{"n":1}', max_retries=0))
    finish(store, Ending.FAILED, JobError("ValueError", "no", "Traceback:\n  line\nValueError: no"))
    out = orpheus("show", "1").out
    assert "failed" in out
    assert '{"n":1}' in out
    assert "ValueError: no" in out
    assert "  Traceback:" in out
    job = orpheus("show", "1", "--json").json
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["failed"]


def test_a_job_that_is_done_shows_no_share_of_its_work(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    begin_worker(store)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.progress(lease.job_id, lease.token, 0.5, "row 3 of 6")
    assert orpheus("jobs").out.splitlines()[1].endswith("  50%, row 3 of 6")
    shown = orpheus("show", "1").out
    assert re.search(r"^progress +50%$", shown, re.MULTILINE)
    assert re.search(r"^message +row 3 of 6$", shown, re.MULTILINE)
    store.leases.finish([Finished(lease, Ending.SUCCEEDED, result="null")])
    assert "row 3 of 6" not in orpheus("jobs").out
    shown = orpheus("show", "1").out
    assert "progress" not in shown
    assert re.search(r"^last message +row 3 of 6$", shown, re.MULTILINE)


def test_a_cancelled_job_tells_who_cancelled_it(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit_many([NewJob("count")] * 3)
    store.leases.lease(WORKER, ("*",), 1, 30_000)
    orpheus("cancel", "1", "2", "--reason", "sent twice")
    store.jobs.cancel(3)
    shown = [orpheus("show", str(id)).out.splitlines()[2].split(maxsplit=1)[1] for id in (1, 2, 3)]
    assert shown[0] == "in_progress, asked to stop"
    assert re.fullmatch(r"cancelled by cli:\S+: sent twice", shown[1])
    assert shown[2] == "cancelled"


def test_attempts_after_an_operators_retry_are_no_more_than_allowed(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", max_retries=0))
    for _ in range(2):
        finish(store, Ending.FAILED, JobError("ValueError", "no", None))
        store.jobs.retry(1)
    shown = orpheus("show", "1").out.partition("\n\n")[0]
    facts = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert (facts["attempt"], facts["retries"]) == ("2", "0")
    heads, row = orpheus("jobs").out.splitlines()
    assert row[heads.index("RAN")] == "-", "it waits for its third attempt"


def test_an_unknown_job_exits_1(orpheus: Orpheus, store: Store) -> None:
    for command in ("show", "logs", "cancel", "retry", "run", "delete"):
        code, _, err = orpheus(command, "99")
        assert (code, err) == (1, "orpheus: there is no job 99\n")


def test_a_log_is_printed_and_followed_to_the_end_of_the_job(
    orpheus: Orpheus, store: Store, finish: Finish, in_background: InBackground
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
    for count, kept in ((0, []), (2, ["second", "last"]), (9, ["first\x1b[2J", "second", "last"])):
        out = orpheus("logs", "1", "-n", str(count), "--json").out
        assert [json.loads(line)["line"] for line in out.splitlines()] == kept


def test_a_job_that_runs_again_is_not_told_to_have_the_error_of_its_earlier_attempt(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", max_retries=1))
    finish(store, Ending.FAILED, JobError("ValueError", "no row 7", None))
    store.jobs.run_now(1)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    begin_worker(store)
    assert orpheus("jobs").out.splitlines()[1].endswith("  before: ValueError")
    store.leases.progress(lease.job_id, lease.token, 0.25, "page 1")
    assert orpheus("jobs").out.splitlines()[1].endswith("  25%, page 1, before: ValueError")
    assert "\nerror of attempt 1\n  ValueError: no row 7\n" in orpheus("show", "1").out
    store.leases.finish([Finished(lease, Ending.FAILED, error=JobError("E", "two", "Stack:"))])
    assert orpheus("jobs").out.splitlines()[1].endswith("  E: two")
    assert "\nerror of attempt 2\n  E: two\n  Stack:\n" in orpheus("show", "1").out
