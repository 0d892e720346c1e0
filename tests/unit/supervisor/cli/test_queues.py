"""`orpheus queues`, `pause` and `resume`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import quarantines, stats, waiting
from tests.unit.supervisor.cli.conftest import TIME
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
WORKER = Holder("default-1", "incarnation", 7)


def begin_worker(store: Store) -> None:
    """Let a supervisor and a worker of the pool `default` be there."""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot("default-1", SlotState.READY)])


def test_queues_are_listed_with_their_counts(
    orpheus: Orpheus, store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("words", queue="mail"), *[NewJob("count")] * 2])
    finish(store)
    _, default, mail = orpheus("queues").out.splitlines()
    assert default.endswith("nothing runs") and mail.endswith("nothing runs")
    begin_worker(store)
    store.processes.put_slots([slot("default-1", SlotState.FATAL)])
    _, default, mail = orpheus("queues").out.splitlines()
    unready = "no worker is ready: default-1 is fatal"
    assert default.endswith(unready) and mail.endswith(unready)
    orpheus("pause", "mail")
    assert orpheus("resume", "mail").out == f"queue mail: resumed, but {unready}\n"
    begin_worker(store)
    items = {item["name"]: item for item in orpheus("queues", "--json").json["items"]}
    assert items["default"]["counts"]["done"] == 1
    assert items["default"]["counts"]["pending"] == 2
    assert items["mail"]["oldest_pending_s"] is not None
    _, default, _ = orpheus("queues").out.splitlines()
    assert default.split()[-3:] == ["-", "-", "-"], "its first job was done only just"
    monkeypatch.setattr(stats, "pace_of", lambda *_: Pace(1, 0.5, 60.0, had_backlog=True))
    head, default, mail = orpheus("queues").out.splitlines()
    assert default.split()[:2] == ["default", "open"]
    assert re.search("EMPTY IN +WITH MORE +WHY$", head)
    assert re.search(r"\d (ms|s|min) +\+1: .*, \+8: .* (ms|s|min) +-$", default)
    assert mail.split()[-3:] == ["-", "-", "-"], "nothing of it was done yet"


def test_a_queue_whose_workers_run_jobs_of_others_has_no_time_when_it_is_empty(
    orpheus: Orpheus, store: Store
) -> None:
    begin_worker(store)
    store.jobs.submit_many([NewJob("count", priority=9), NewJob("count", queue="mail")])
    store.leases.lease(replace(WORKER, incarnation="life-of-default-1"), ("*",), 1, 30_000)
    assert re.search("  -  +-  +its workers run other jobs$", orpheus("queues").out.splitlines()[2])


def test_a_queue_that_its_limits_hold_says_which_and_when_the_next_job_may_start(
    orpheus: Orpheus, store: Store
) -> None:
    begin_worker(store)
    per_key = KeyRules(rate=Rate(1, 86_400))
    rules = {"few": QueueRules(max_running=1), "mail": QueueRules(per_key=per_key)}
    store.queues.configure(rules)
    for queue in ("few", "mail"):
        store.jobs.submit_many([NewJob("count", queue=queue, concurrency_key="ada")] * 2)
    assert len(store.leases.lease(WORKER, ("*",), 4, 30_000)) == 2
    _, few, mail = orpheus("queues").out.splitlines()
    assert few.endswith("  held by its max_running")
    assert re.search("  next in (23 h 59 min|1 d.*), held by its rate per key$", mail)


def test_no_width_cuts_when_a_queue_is_empty(
    orpheus: Orpheus, store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit_many([NewJob("count")] * 700)
    store.queues.configure({"later": QueueRules(max_running=2)})
    store.jobs.submit(NewJob("count", queue="later", delay_ms=7_200_000))
    finish(store)
    begin_worker(store)
    monkeypatch.setattr(stats, "pace_of", lambda *_: Pace(1, 0.5, 60.0, had_backlog=True))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    assert re.search(r"next due in (2 h|1 h 59 min)$", orpheus("queues").out.splitlines()[2])
    for width in ("100", "120", "160"):
        monkeypatch.setenv("COLUMNS", width)
        head, default, later = orpheus("queues").out.splitlines()
        at = head.index("EMPTY IN")
        assert re.match(r"\d+ min|\d+ h", default[at:]), width
        assert later[at:].split()[0] == "-", width
        assert "BLOCKED" not in head or width == "160", "each row is 0"
    assert "AT ONCE" in head
    assert re.search(r"next due in (2 h|1 h 59 min)$", later)
    assert re.search(r"  \+1: \d.*, \+2: \d", default)


def test_a_narrow_terminal_shows_why_a_queue_stands_still_before_how_many_are_done(
    orpheus: Orpheus, store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit_many([NewJob("count")] * 3)
    for _ in range(2):
        finish(store)
    store.jobs.submit_many([NewJob("count", queue="mail")] * 500)
    orpheus("pause", "mail", "--reason", "the mail server is down, ticket 4711")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    for width in (80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        head, default, mail = orpheus("queues").out.splitlines()
        assert max(map(len, (head, default, mail))) <= width
        assert re.search(r"  nothing runs$", default), width
        assert re.search(r"  cli:\S+: the mail s", mail), f"the reason is not cut first, {width}"
        assert "PENDING" in head


def test_a_long_name_of_one_queue_takes_no_reason_from_the_others(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit(NewJob("count", queue="invoice-rendering-heavy-eu-central"))
    orpheus("pause", "mail", "--reason", "spam run")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = orpheus("queues")
    head, invoices, mail = out.splitlines()
    assert max(map(len, (head, invoices, mail))) <= 80
    assert re.match(r"inv\S*…\S*central ", invoices)
    assert re.search(r"  cli:\S+: spam run ", mail)
    assert err.startswith("`orpheus queues QUEUE` shows all of one")
    for width in range(10, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = orpheus("queues").out.splitlines()
        assert max(map(len, lines)) <= width
        assert not re.search(r"(?m)(^|  )…(  |$)", "\n".join(lines)), width


def test_queues_are_listed_with_their_limits(orpheus: Orpheus, store: Store) -> None:
    per_key = KeyRules(3, Rate(7, 60))
    store.queues.configure({"mail": QueueRules(max_running=2, rate=Rate(5, 1), per_key=per_key)})
    (item,) = orpheus("queues", "--json").json["items"]
    assert (item["paused"], item["max_running"], item["rate"]) == (False, 2, "5/s")
    assert (item["max_running_per_key"], item["rate_per_key"], item["burst"]) == (3, "7/m", 1)
    line = orpheus("queues").out.splitlines()[1].split()
    assert line[:6] == ["mail", "open", "2", "5/s", "3,", "7/m"]


def test_a_queue_is_paused_and_resumed(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", queue="mail"))
    assert orpheus("pause", "mail").out == "queue mail: paused\n"
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert orpheus("queues").out.splitlines()[1].split()[:2] == ["mail", "paused"]
    assert re.search(rf" {TIME}$", orpheus("queues").out.rstrip())
    item = orpheus("resume", "mail", "--json").json
    assert (item["name"], item["paused"]) == ("mail", False)
    assert len(store.leases.lease(WORKER, ("*",), 1, 30_000)) == 1


def test_a_paused_queue_of_which_nothing_is_due_says_when_the_next_is(
    orpheus: Orpheus, store: Store
) -> None:
    store.queues.configure({"mail": QueueRules(paused=True)})
    store.jobs.submit(NewJob("count", queue="mail", delay_ms=7_200_000))
    said = orpheus("queues").out.rstrip()
    assert re.search(r"  the configuration, next due in (2 h|1 h 59 min)$", said)
    assert "is paused" not in orpheus("status").out, "nobody waits for it yet"
    store.jobs.submit_many([NewJob("count", queue="mail")] * 2)
    assert orpheus("queues").out.rstrip().endswith("  the configuration")
    assert "is paused by the configuration, and 2 jobs wait in it" in orpheus("status").out


def test_only_a_new_reason_changes_a_pause_and_who_paused_before_is_told(
    orpheus: Orpheus, store: Store
) -> None:
    store.schedules.configure([ScheduleDefinition("hourly", "count", every_s=3600)])
    for pause, what, listed in (
        (("pause", "mail"), "queue mail", "queues"),
        (("pause-schedule", "hourly"), "schedule hourly", "schedules"),
    ):
        orpheus(*pause, "--reason", "spam\x1b run")
        said = orpheus(*pause).out
        assert re.fullmatch(rf"{what}: already paused by cli:\S+: spam\\x1b run \({TIME}\)\n", said)
        assert orpheus(*pause, "--json").json["already_paused"]["reason"] == "spam\x1b run"
        assert re.search(rf": spam\\x1b run \({TIME}\)$", orpheus(listed).out.rstrip())
        said = orpheus(*pause, "--reason", "holidays").out
        told = rf"{what}: paused; it was paused by cli:\S+: spam\\x1b run \({TIME}\)\n"
        assert re.fullmatch(told, said)
        assert re.search(rf": holidays \({TIME}\)$", orpheus(listed).out.rstrip())


def test_a_queue_that_is_open_though_the_configuration_pauses_it_says_why(
    orpheus: Orpheus, store: Store
) -> None:
    store.queues.configure({"mail": QueueRules(paused=True)})
    assert orpheus("queues").out.rstrip().endswith("  the configuration")
    assert orpheus("pause", "mail").out == "queue mail: paused\n", "whatever it says later"
    orpheus("resume", "mail", "--reason", "it is back")
    said = orpheus("queues").out.rstrip()
    assert re.search(
        rf"  resumed by cli:\S+: it is back \({TIME}\); the configuration pauses it$", said
    )
    store.jobs.submit(NewJob("count", queue="mail"))
    assert re.search("  nothing runs, resumed by cli:", orpheus("queues").out)
    orpheus("pause", "mail")
    assert "resumed" not in orpheus("queues").out


def test_a_queue_that_nothing_names_is_paused_with_a_warning(
    orpheus: Orpheus, store: Store
) -> None:
    names = "no job, job type, schedule, pool or setting names a queue"
    mistyped = orpheus("pause", "mial")
    assert mistyped.out == "queue mial: paused\n"
    assert mistyped.err == f"orpheus: warning: {names} 'mial'; did you mean 'mail'?\n"
    assert orpheus("pause", "xyz", "--json").err == f"orpheus: warning: {names} 'xyz'\n"
    assert f"{names} 'dfault'; did you mean 'default'?" in orpheus("resume", "dfault").err


def test_a_queue_of_a_typing_error_is_not_listed_once_it_is_open_again(
    orpheus: Orpheus, store: Store
) -> None:
    store.queues.configure({"idle": QueueRules(paused=True)})

    def listed() -> list[str]:
        return [item["name"] for item in orpheus("queues", "--json").json["items"]]

    for queue in ("mial", "mail", "idle"):
        orpheus("pause", queue)
    assert listed() == ["idle", "mail", "mial"]
    for queue in ("mial", "mail", "idle"):
        assert orpheus("resume", queue).out == f"queue {queue}: resumed\n"
    assert listed() == ["idle", "mail"], "a type names mail, the configuration pauses idle"
    store.jobs.submit(NewJob("count", queue="mial"))
    assert listed() == ["idle", "mail", "mial"]


def test_a_queue_that_a_type_or_a_pool_or_a_pause_names_needs_no_warning(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/orpheus.toml").write_text('[pools.a]\nworkers = 1\nqueues = ["media"]\n')
    store.queues.pause("seasonal")
    for queue in ("mail", "media", "default"):
        assert orpheus("pause", queue).err == ""
    assert orpheus("resume", "seasonal").err == "nothing runs; `orpheus` starts it\n"


def test_a_queue_that_no_pool_serves_is_not_called_open(orpheus: Orpheus, store: Store) -> None:
    for queue in ("default", "mail"):
        store.jobs.submit(NewJob("count", queue=queue))
    pools = ("--set", 'pools.default.queues=["default"]')
    lines = orpheus("queues", *pools).out.splitlines()
    assert lines[1].split()[:2] == ["default", "open"]
    assert re.match("mail +no pool ", lines[2])
    items = orpheus("queues", "--json", *pools).json["items"]
    assert [[pool["name"] for pool in item["pools"]] for item in items] == [["default"], []]
    orpheus("pause", "mail")
    assert orpheus("queues", *pools).out.splitlines()[2].split()[:2] == ["mail", "paused"]
    assert orpheus("resume", "mail", *pools).out == "queue mail: resumed, but no pool serves it\n"
    assert orpheus("resume", "default", *pools).out == "queue default: still open\n"


def test_a_queue_whose_jobs_a_quarantine_holds_back_says_so(orpheus: Orpheus, store: Store) -> None:
    store.quarantines.after = 1
    store.jobs.submit_many([NewJob("count", max_retries=0)] * 3)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.free(WORKER.incarnation, CellState(lease.token, running=True))
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    held = r"  2 held back: count is quarantined \(oldest \d+ m?s\)"
    assert re.search(f"{held}$", orpheus("queues").out.splitlines()[1])
    (item,) = orpheus("queues", "--json").json["items"]
    assert item["quarantined"] == ["count"]
    (one,) = item["held_back"]
    assert one.pop("oldest_s") >= 0 and item["oldest_pending_s"] is None
    assert one == {"type": "count", "jobs": 2, "relation": "eq"}
    store.jobs.submit(NewJob("words", delay_ms=7_200_000))
    said = orpheus("queues").out.splitlines()[1]
    assert re.search(f"{held}, next due in (1 h 59 min|2 h 00 min)$", said), said
    store.jobs.submit(NewJob("words"))
    said = orpheus("queues").out.splitlines()[1]
    assert re.search(held.replace("  ", "  nothing runs, ") + "$", said), said


def test_a_queue_that_holds_back_very_many_says_how_many_at_least(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantines, "_MOST_LOOKED_AT", 2)
    store.quarantines.after = 1
    store.jobs.submit_many([NewJob("count", max_retries=0)] * 4)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.free(WORKER.incarnation, CellState(lease.token, running=True))
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert "  at least 3 held back: count is" in orpheus("queues").out.splitlines()[1]


def test_nothing_is_said_of_when_a_job_is_due_that_many_others_are_before(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MOST_PROBES", 2)
    for queue in ("first", "first", "mail"):
        store.jobs.submit(NewJob("count", queue=queue, delay_ms=7_200_000))
    line = orpheus("queues").out.splitlines()[2]
    assert line.split()[0] == "mail"
    assert line.split()[-3:] == ["-", "-", "-"]


def test_a_queue_of_which_nothing_is_due_says_when_the_next_is(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store)
    store.jobs.submit(NewJob("count", delay_ms=7_200_000))
    line = orpheus("queues").out.splitlines()[1]
    assert re.search(r"  next due in (2 h|1 h 59 min)$", line)
