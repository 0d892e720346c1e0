"""Job logs, heartbeat rows, slots and job types."""

from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.domain.processes import (
    LastExit,
    Order,
    ProcessRecord,
    Role,
    SlotRecord,
    SlotState,
)
from orpheus.shared.process.last_lines import LastLine
from orpheus.shared.storage import Store, TypeRow
from tests.contract.conftest import LeaseSome, Submit


def test_lines_are_kept_with_their_attempt_and_read_on_from_the_last_seen(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    lines = [NewLine(n, "info", f"line {n}", '{"n":1}') for n in range(3)]
    assert store.logs.append(job_id, held.token, held.attempt, lines)
    read = store.logs.after(job_id, 0, 2)
    assert [(one.attempt, one.line, one.fields) for one in read] == [
        (1, "line 0", '{"n":1}'),
        (1, "line 1", '{"n":1}'),
    ]
    assert [one.line for one in store.logs.after(job_id, read[-1].id, 10)] == ["line 2"]


def test_lines_of_a_lost_lease_are_refused(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit()
    (held,) = lease()
    clock.advance(30_000)
    assert not store.logs.append(job_id, held.token, 1, [NewLine(0, "info", "late")])
    assert store.logs.after(job_id, 0, 10) == []


def a_process(**changes: object) -> ProcessRecord:
    fields: dict[str, object] = {
        "host": "host-1",
        "incarnation": "life-1",
        "slot": "default-1",
        "pool": "default",
        "role": Role.WORKER,
        "pid": 101,
        "create_time_s": 1.5,
        "boot_id": "boot-1",
        "started_at_ms": 10,
        "ready": False,
        "beat": 0,
        "last_beat_mono_ms": 20,
        "job_id": None,
        "jobs_done": 0,
    }
    return ProcessRecord(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_process_beats_in_its_own_row_until_it_is_forgotten(store: Store, clock) -> None:
    store.processes.register(a_process())
    assert store.processes.all() == [a_process()]
    assert store.processes.beat("life-1", ready=True, beat=5, job_id=3, jobs_done=9)
    assert store.processes.all() == [
        a_process(ready=True, beat=5, last_beat_mono_ms=clock.monotonic, job_id=3, jobs_done=9)
    ]
    store.processes.forget("life-1")
    assert store.processes.all() == []
    assert not store.processes.beat("life-1", ready=True, beat=6, job_id=None, jobs_done=9)


def test_slots_are_read_back_in_the_supervisors_order(store: Store) -> None:
    slots = [
        SlotRecord(
            host="host-1",
            slot=name,
            pool=pool,
            role=role,
            state=SlotState.READY,
            degraded=False,
            reason="",
            pid=7,
            incarnation="life",
            cpu_percent=1.5,
            rss_bytes=4096,
            started_at_ms=5,
            restarts=2,
            exits=exits,
        )
        for name, pool, role, exits in (
            ("supervisor", None, Role.SUPERVISOR, ()),
            ("api", None, Role.API, (LastExit(3, "killed", "SIGKILL", None, "stack"),)),
            ("default-2", "default", Role.WORKER, ()),
            ("default-10", "default", Role.WORKER, ()),
        )
    ]
    slots[2] = replace(slots[2], order=Order.REPLACED, waits="waits for db-1")
    store.processes.put_slots(slots)
    assert store.processes.slots() == slots
    store.processes.remove_slots("host-2", ["default-10"])
    assert store.processes.slots() == slots
    store.processes.remove_slots("host-1", ["default-10"])
    assert store.processes.slots() == slots[:-1]


def test_types_are_replaced_as_a_whole(store: Store) -> None:
    first = TypeRow("a", '{"type":"object"}', None, 2.5, None, "Does a.")
    second = TypeRow("b", "{}", 3, None, "mail", "")
    store.types.replace([second, first])
    assert store.types.all() == [first, second]
    store.types.replace([second])
    assert store.types.all() == [second]
    assert store.types.get("a") is None
    assert store.types.get("b") == second


def test_the_last_lines_of_a_dead_process_are_added_to_those_that_were_stored(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    first_id, second_id = submit(), submit()
    first, second = lease(2)
    store.logs.append(first_id, first.token, 1, [NewLine(n, "info", str(n)) for n in range(2)])
    left = [LastLine(first.token, n, n, "info", str(n), '{"n":1}') for n in range(5)]
    others = [LastLine(99, 0, 0, "info", "of a lease that it lost")]
    clock.advance(60_000)  # its leases have expired, and nobody has reclaimed them
    store.logs.append_last("life-2", left)
    store.logs.append_last("life-1", [*left, *others])
    assert [one.line for one in store.logs.after(first_id, 0, 10)] == ["0", "1", "2", "3", "4"]
    assert store.logs.after(first_id, 0, 10)[-1].fields == '{"n":1}'
    assert store.logs.after(second_id, 0, 10) == []
    store.logs.append_last("life-1", [LastLine(second.token, 0, 7, "error", "the end")])
    assert [(one.attempt, one.line) for one in store.logs.after(second_id, 0, 10)] == [
        (1, "the end")
    ]
