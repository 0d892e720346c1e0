"""A worker and its control channel; the test plays the supervisor."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus.shared.domain.jobs import Status
from orpheus.shared.process.crash_cell import CellState, read_cell
from tests.machine import slowness, wait_until

Start = Callable[..., Any]


def until_entered(database: Any, job_id: int) -> None:
    """Wait until the job's code is about to run: a job that is only leased is released."""
    database.wait(job_id, Status.IN_PROGRESS)

    def running() -> bool:
        cell = read_cell(database.store.state.cell("life-1"))
        return isinstance(cell, CellState) and bool(cell.running)

    wait_until(running, f"job {job_id} to be entered")


Wait = Callable[..., Any]


def test_it_says_ready_beats_while_idle_and_tells_the_job_and_its_hard_deadline(
    database: Any, start_supervised: Start, wait_for: Wait
) -> None:
    worker = start_supervised(cancel_grace_s=7.0).wait_until_ready()
    wait_for(lambda: worker.says("ready"), "ready")
    first = wait_for(lambda: worker.says("beat"), "a beat")
    later = wait_for(
        lambda: (beat := worker.says("beat")) and beat["beat"] > first["beat"] + 3 and beat,
        "more beats",
    )
    assert later["loop"] > first["loop"], "the main loop turns while idle"
    assert (later["job"], later["jobs_done"], later["database_ok"]) == (None, 0, True)
    assert database.store.types.all() == [], "the supervisor describes the types"
    job_id = database.submit("spinning", timeout_s=60)
    job = wait_for(lambda: worker.says("beat")["job"], "a beat with a job")
    assert (job["id"], job["type"]) == (job_id, "spinning")
    assert 80 < job["hard_deadline_in_s"] + job["elapsed_s"] <= 90
    database.store.jobs.cancel(job_id)
    wait_for(
        lambda: worker.says("beat")["job"]["hard_deadline_in_s"] <= 7,
        "the deadline of a cancelled job",
    )


def test_beats_report_a_locked_database_before_the_waiting_main_loop_looks_hung(
    database: Any, start_supervised: Start, wait_for: Wait
) -> None:
    worker = start_supervised(lease_ttl_s=60.0).wait_until_ready()
    database.wait(job_id := database.submit("nap", '{"seconds": 1}'), Status.IN_PROGRESS)
    with database.store.write(durable=False):
        # Sooner than the store's own bound of 10 s, by which a worker would be taken for hung.
        first = wait_for(
            lambda: (
                (beat := worker.says("beat"))
                and (beat["job"], beat["database_ok"]) == (None, False)
                and beat
            ),
            "a beat that reports it after the job",
            timeout_s=9,
        )
        later = wait_for(
            lambda: (beat := worker.says("beat"))["beat"] > first["beat"] + 5 and beat,
            "beats while the result waits",
        )
        assert (later["loop"], later["database_ok"]) == (first["loop"], False)
    assert database.wait(job_id).status is Status.DONE
    wait_for(lambda: worker.says("beat")["database_ok"], "a beat that reports success")
    assert database.outcomes(job_id) == ["succeeded"]


def test_a_draining_worker_in_a_long_job_beats_and_renews_until_it_exits(
    database: Any, start_supervised: Start, tmp_path: Path, wait_for: Wait
) -> None:
    worker = start_supervised(
        lease_ttl_s=2.0, renew_every_s=0.3, stop_timeout_s=0.1
    ).wait_until_ready()
    go_on = tmp_path / "go-on"
    job_id = database.submit("chatty", f'{{"wait_for": "{go_on}"}}')
    until_entered(database, job_id)
    worker.channel.send({"do": "drain"})
    wait_for(lambda: "worker_draining" in worker.log(), "the order to be taken")
    sent, [row] = worker.says("beat"), database.store.processes.all()
    ends_ms = database.store.clock.monotonic_ms() + 4_500  # over two leases

    def stays_leased() -> bool:
        assert database.store.leases.reclaim_expired() == []
        [now] = database.store.processes.all()
        now_ms = database.store.clock.monotonic_ms()
        assert now_ms - now.last_beat_mono_ms < 1_000 * slowness(), "the row is fresh"
        return bool(now_ms > ends_ms)

    wait_for(stays_leased, "two leases to pass")
    [now] = database.store.processes.all()
    assert (now.job_id, now.beat > row.beat + 8) == (job_id, True)
    later = worker.says("beat")
    assert (later["job"]["id"], later["beat"] > sent["beat"] + 8) == (job_id, True)
    go_on.touch()
    assert worker.wait() == 0
    assert database.outcomes(job_id) == ["succeeded"]
    assert database.store.processes.all() == []


def test_without_its_supervisor_a_worker_exits_once_its_job_is_done(
    database: Any, start_supervised: Start
) -> None:
    worker = start_supervised().wait_until_ready()
    running = database.submit("nap", '{"seconds": 1}')
    until_entered(database, running)
    waiting = database.submit("nap")
    worker.channel.close()
    assert worker.wait() == 0
    assert database.store.jobs.get(running).status is Status.DONE
    assert database.store.jobs.get(waiting).status is Status.PENDING


def test_without_its_supervisor_a_worker_leaves_a_long_job_within_the_grace(
    database: Any, start_supervised: Start, wait_for: Wait
) -> None:
    worker = start_supervised().wait_until_ready()
    running = database.submit("nap", '{"seconds": 60}', max_retries=0)
    until_entered(database, running)
    began_s = time.monotonic()
    worker.channel.close()
    wait_for(lambda: "the supervisor is gone" in worker.log(), "it to be seen")
    waiting = database.submit("nap")
    assert worker.wait() == 4
    assert 9 < time.monotonic() - began_s < 12 * slowness()
    assert database.outcomes(running) == ["released"]
    assert database.outcomes(waiting) == []
    assert database.store.jobs.get(waiting).status is Status.PENDING


def test_nothing_is_leased_if_c_code_held_the_gil_while_the_supervisor_died(
    database: Any, start_supervised: Start, wait_for: Wait
) -> None:
    worker = start_supervised().wait_until_ready()
    held = database.submit("holding_the_gil", '{"seconds": 30}', max_retries=0)
    until_entered(database, held)
    waits_in = Path(f"/proc/{worker.process.pid}/wchan")
    wait_for(lambda: "nanosleep" in waits_in.read_text(), "the sleep in C")
    waiting = [database.submit("nap") for _ in range(3)]
    worker.channel.close()
    worker.signal(signal.SIGTERM)  # as the kernel does; it ends the sleep too
    assert worker.wait() == 0
    assert database.outcomes(held) == ["succeeded"]
    assert all(database.outcomes(job_id) == [] for job_id in waiting)
