"""The supervisor's loop, recorder and sampler around children of a test's choice."""

import json
import sys
import time
from pathlib import Path

from shared.clock import SystemClock
from shared.logs import configure_logging, stop_logging
from shared.processes import ProcessRecord, Role
from shared.storage import open_store
from supervisor.act import World
from supervisor.kernel import become_subreaper
from supervisor.loop import Loop
from supervisor.records import Recorder
from supervisor.sampling import Sampler
from supervisor.signals import Signals, reset_child_signal
from supervisor.slot import Rules
from supervisor.specs import ProcessSpec
from supervisor.startup import lock_database, sweep_earlier_life


def main(plan_file: str) -> int:
    plan = json.loads(Path(plan_file).read_text())
    database, clock = Path(plan["database"]), SystemClock()
    configure_logging("debug", "console", "supervisor")
    reset_child_signal()
    become_subreaper()
    lock_database(database)
    url = f"sqlite:///{database}"
    store = open_store(url, create=True)
    Path(f"{database}-cells").mkdir(exist_ok=True)
    sweep_earlier_life(store, database, clock.boot_id, clock.wall_ms())
    store.close()
    myself = ProcessRecord(
        incarnation="supervisor-life",
        slot="supervisor",
        pool=None,
        role=Role.SUPERVISOR,
        pid=1,
        create_time_s=0.0,
        boot_id=clock.boot_id,
        started_at_ms=0,
        ready=True,
        beat=0,
        last_beat_mono_ms=time.monotonic_ns() // 1_000_000,
        job_id=None,
        jobs_done=0,
    )
    specs = {
        slot: ProcessSpec(slot, "default", Role.WORKER, tuple(argv), {"slot": slot})
        for slot, argv in plan["slots"].items()
    }
    recorder = Recorder(lambda: open_store(url), database, myself, plan["rules"]["beat_interval_s"])
    sampler = Sampler(interval_s=0.1)
    loop = Loop(
        World(specs, database, recorder),
        Rules(**plan["rules"]),
        shutdown_deadline_s=plan["shutdown_deadline_s"],
        exit_on_fatal=plan["exit_on_fatal"],
        myself=myself,
        clock=clock,
        sampler=sampler,
        signals=Signals(),
    )
    recorder.start()
    sampler.start()
    try:
        return loop.run()
    finally:
        recorder.stop(3)
        stop_logging()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
