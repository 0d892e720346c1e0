"""`orpheus queues`, `pause` and `resume`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
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


def test_queues_are_listed_with_their_counts_and_why_none_starts(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("words", queue="mail"), *[NewJob("count")] * 2])
    finish(store)
    _, default, mail = orpheus("queues").out.splitlines()
    assert default.endswith("nothing runs; `orpheus` starts it")
    begin_worker(store)
    store.processes.put_slots([slot("default-1", SlotState.FATAL)])
    _, default, mail = orpheus("queues").out.splitlines()
    unready = "no worker of pool default is ready: default-1 is fatal"
    assert default.endswith(unready) and mail.endswith(unready)
    orpheus("pause", "mail")
    assert orpheus("resume", "mail").out == f"queue mail: resumed, but {unready}\n"
    begin_worker(store)
    items = {item["name"]: item for item in orpheus("queues", "--json").json["items"]}
    assert (items["default"]["counts"]["done"], items["default"]["due"]) == (1, 2)
    assert items["mail"]["oldest_due_s"] is not None
    head, default, mail = orpheus("queues").out.splitlines()
    assert default.split()[:2] == ["default", "open"]
    assert re.search("OLDEST +IN/MIN +OUT/MIN +EMPTY IN +WITH MORE +WHY$", head)
    assert re.search(r"\+1: \d+ m?s, \+3: \d+ m?s +-$", default)


def test_a_queue_that_its_limit_holds_says_which(orpheus: Orpheus, store: Store) -> None:
    begin_worker(store)
    store.queues.configure({"few": QueueRules(max_running=1)})
    store.jobs.submit_many([NewJob("count", queue="few")] * 2)
    assert len(store.leases.lease(WORKER, ("*",), 4, 30_000)) == 1
    _, few = orpheus("queues").out.splitlines()
    assert few.endswith("  queue few may run 1 at once, and as many run")


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
        assert re.search(r"  nothing runs", default), width
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
    assert (item["paused"], item["limits"]["max_running"]) == (None, 2)
    line = orpheus("queues").out.splitlines()[1].split()
    assert line[:6] == ["mail", "open", "2", "5/s", "3,", "7/m"]


def test_a_queue_is_paused_and_resumed(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", queue="mail"))
    assert orpheus("pause", "mail").out == "queue mail: paused\n"
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert orpheus("queues").out.splitlines()[1].split()[:2] == ["mail", "paused"]
    assert re.search(rf" {TIME}$", orpheus("queues").out.rstrip())
    item = orpheus("resume", "mail", "--json").json
    assert (item["name"], item["paused"]) == ("mail", None)
    assert len(store.leases.lease(WORKER, ("*",), 1, 30_000)) == 1


def test_only_a_new_reason_changes_a_pause_and_who_paused_before_is_told(
    orpheus: Orpheus, store: Store
) -> None:
    orpheus("pause", "mail", "--reason", "spam\x1b run")
    assert re.fullmatch(r"queue mail: already paused by cli:\S+\n", orpheus("pause", "mail").out)
    assert orpheus("pause", "mail", "--json").json["paused"]["reason"] == "spam\x1b run"
    assert re.search(rf": spam\\x1b run \({TIME}\)$", orpheus("queues").out.rstrip())
    assert orpheus("pause", "mail", "--reason", "holidays").out == "queue mail: paused\n"
    assert re.search(rf": holidays \({TIME}\)$", orpheus("queues").out.rstrip())


def test_a_schedule_that_is_paused_already_says_by_whom(orpheus: Orpheus, store: Store) -> None:
    store.schedules.configure([ScheduleDefinition("hourly", "count", every_s=3600)])
    pause = ("pause-schedule", "hourly")
    orpheus(*pause, "--reason", "spam run")
    said = orpheus(*pause).out
    assert re.fullmatch(rf"schedule hourly: already paused by cli:\S+: spam run \({TIME}\)\n", said)
    said = orpheus(*pause, "--reason", "holidays").out
    told = rf"schedule hourly: paused; it was paused by cli:\S+: spam run \({TIME}\)\n"
    assert re.fullmatch(told, said)


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
        assert orpheus("resume", queue).out.startswith(f"queue {queue}: resumed")
    assert listed() == ["mail"], "a type names it"
    store.jobs.submit(NewJob("count", queue="mial"))
    assert listed() == ["mail", "mial"]


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
    assert orpheus("resume", "default", *pools).out.startswith("queue default: still open")
