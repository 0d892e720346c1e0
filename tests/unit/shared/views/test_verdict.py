"""What alerts and `ctx.trouble()` take from the verdict on a system."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import LastExit, ProcessRecord, Role, SlotRecord, SlotState
from orpheus.shared.storage import Store, open_store
from orpheus.shared.views.verdict import slots_in_trouble, trouble
from orpheus.shared.views.workers import workers_json
from tests.databases import make_database
from tests.earlier import submit_earlier

BEAT_TIMEOUT_S = 15.0
READY = SlotRecord(
    "here", "default-1", "default", Role.WORKER, SlotState.READY, False, "", 7, "life",
    None, None, 1, 0, (),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    made = open_store(url)
    supervisor = ProcessRecord(
        "here", "boss", "supervisor", None, Role.SUPERVISOR, 1, 1.0, made.clock.boot_id, 1,
        ready=True, beat=1, last_beat_mono_ms=made.clock.monotonic_ms(), job_id=None, jobs_done=0,
    )  # fmt: skip
    made.processes.register(supervisor)
    made.processes.put_slots([READY])
    yield made
    made.close()


def test_each_slot_in_trouble_is_told_by_itself(store: Store) -> None:
    fatal = [
        replace(READY, slot=name, state=SlotState.FATAL, reason="too bad")
        for name in ("default-2", "default-3")
    ]
    store.processes.put_slots([READY, *fatal])
    assert slots_in_trouble(store, BEAT_TIMEOUT_S) == [
        ("here", "default-2", "default-2 failed (fatal): too bad."),
        ("here", "default-3", "default-3 failed (fatal): too bad."),
    ]


def test_all_failures_of_the_last_minutes_are_counted(store: Store) -> None:
    now_ms = store.clock.wall_ms()
    exits = [
        LastExit(now_ms - 1_000 - n * 30_000, f"exit code {n}", None, n, None, failed=n != 2)
        for n in range(30)
    ]
    store.processes.put_slots([replace(READY, exits=tuple(exits))])
    boss = replace(READY, slot="supervisor", pool=None, role=Role.SUPERVISOR, incarnation="boss")
    store.processes.put_slots([replace(boss, started_at_ms=now_ms - 300_000)])
    (told,) = trouble(store, BEAT_TIMEOUT_S)
    often = r"default-1 failed 19 times in the last 5 min( \d s)?"
    assert re.fullmatch(rf"{often}, most recently \d s ago: exit code 0\.", told)
    items = workers_json(store, supervised_on=None, beat_timeout_s=BEAT_TIMEOUT_S)
    (worker,) = [one for one in items if one["slot"] == "default-1"]
    assert (worker["failed_lately"], len(worker["recent_exits"])) == (19, 5)


def test_the_latest_failure_of_all_slots_is_told(store: Store) -> None:
    now_ms = store.clock.wall_ms()
    for name, reason, ago_ms in (("default-1", "exit code 1", 9_000), ("mail-1", "gone", 2_000)):
        wanted = LastExit(now_ms - 1_000, "exit code 0", None, 0, None, failed=False)
        failed = [
            LastExit(now_ms - ago_ms - n, reason, None, 1, None, failed=True) for n in range(3)
        ]
        store.processes.put_slots([replace(READY, slot=name, exits=(wanted, *failed))])
    (told,) = trouble(store, BEAT_TIMEOUT_S)
    assert re.search(r", most recently mail-1 \d s ago: gone\.$", told)


def test_what_jobs_do_is_no_trouble_of_the_system(store: Store) -> None:
    store.queues.pause("mail")
    store.jobs.submit(NewJob("words", queue="mail"))
    assert trouble(store, BEAT_TIMEOUT_S) == []
    store.processes.put_slots([replace(READY, state=SlotState.BACKOFF)])
    assert trouble(store, BEAT_TIMEOUT_S) == []
    submit_earlier(store, [NewJob("words")], 20_000)
    (told,) = trouble(store, BEAT_TIMEOUT_S)
    assert told.startswith("No worker is ready, and 1 job waits, the first for 20")
