"""`orpheus workers` and `programs`."""

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import LastExit, Order, Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.slot_rows import slot
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


def test_every_process_is_a_row(orpheus: Orpheus, supervised: Store) -> None:
    record = own_record(
        supervised.clock, "host-1", Role.WORKER, "default-1", "life-of-default-1", ready=True
    )
    supervised.processes.register(replace(record, jobs_done=7, places=2, pool="default"))
    for _ in range(2):
        supervised.jobs.submit(NewJob("count"))
        supervised.leases.lease(Holder("default-1", "life-of-default-1", 1), ("*",), 1, 30_000)
    code, out, err = orpheus("workers")
    assert (code, err) == (0, "")
    head, *rows = [re.split("  +", line) for line in out.splitlines()]
    assert head == [
        "SLOT", "STATE", "PID", "JOB", "BEAT", "CPU", "MEMORY", "DONE", "UP", "RESTARTS", "WHY",
    ]  # fmt: skip
    assert [row[:2] for row in rows] == [
        ["supervisor", "ready"],
        ["api", "ready"],
        ["default-1", "ready"],
        ["default-2", "fatal"],
    ]
    assert (rows[2][3], rows[2][7]) == ("1 count (+1)", "7")
    assert rows[3][-1] == "no module"
    assert orpheus("programs").out.splitlines()[1:] == []
    items = orpheus("workers", "default-2", "--json").json["items"]
    assert [item["slot"] for item in items] == ["default-2"]


def test_how_a_process_ended_is_told_while_it_matters(orpheus: Orpheus, supervised: Store) -> None:
    now_ms = supervised.clock.wall_ms()
    why: dict[str, Any] = {
        "code": 3,
        "evidence": "port taken",
        "output": "one\ntwo",
    }
    failed = LastExit(
        now_ms - 65_000, "exit code 3", None, uptime_s=0.7, failed=True, jobs=(1555,), **why
    )
    planned = LastExit(now_ms - 99_000, "replaced: reload", None, 0, None, 9.0)
    exits = (failed, planned)
    supervised.processes.put_slots([slot("default-1", SlotState.READY, exits=exits)])
    told = rf"{TIME}: exit code 3, after 700 ms, in job 1555"
    assert re.search(rf"^default-1 .*  {told}$", orpheus("workers").out, re.MULTILINE)
    shown = orpheus("workers", "default-1").out
    assert re.search(
        rf"^last exit +{told}\n2nd last +{TIME}: replaced: reload", shown, re.MULTILINE
    )
    assert shown.endswith(
        "\nevidence of the last exit\n  port taken\n\noutput before the last exit\n  one\n  two\n"
    )
    old = (replace(failed, at_ms=now_ms - 700_000),)
    supervised.processes.put_slots([slot("default-1", SlotState.READY, exits=old)])
    assert "exit code 3" not in orpheus("workers").out


def test_the_job_that_crashes_a_slot_is_named_and_who_drained_it(
    orpheus: Orpheus, supervised: Store
) -> None:
    supervised.jobs.submit(NewJob("count"))
    at_ms, killed = supervised.clock.wall_ms(), "killed by SIGSEGV"
    crash = LastExit(at_ms, killed, "SIGSEGV", None, None, failed=True, jobs=(1,))
    drained = slot("default-2", SlotState.DOWN, order=Order.DRAINED)
    restless = slot("default-1", SlotState.READY, exits=(crash,) * 3)
    supervised.processes.put_slots([restless, drained])
    supervised.audit.record("drain", "slot default-2", by="cli:ada", reason="disk swap")
    out = orpheus("status").out
    assert f"(last: job 1 of type count, {killed})" in out
    assert "  drained by cli:ada (disk swap)\n" in out


def test_workers_of_a_supervisor_that_is_gone_are_not_shown(orpheus: Orpheus, store: Store) -> None:
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    assert orpheus("workers", "--json").json == {"items": []}
    for command in ("workers", "programs"):
        code, out, err = orpheus(command)
        assert (code, err) == (0, "Orpheus is not running; start it with `orpheus`\n")
        assert out.count("\n") == 1
