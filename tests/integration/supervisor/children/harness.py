"""The supervisor's loop, recorder and sampler around children of a test's choice."""

import gc

if __name__ == "__main__":
    gc.disable()  # as each program does while it imports

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from orpheus.config.handovers import for_database
from orpheus.config.settings import Settings
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.storage import open_store, state_files
from orpheus.supervisor.linux.adoption import become_subreaper
from orpheus.supervisor.linux.sampling import Sampler
from orpheus.supervisor.linux.signals import Signals, reset_child_signal
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.act import Children
from orpheus.supervisor.loop.loop import Loop
from orpheus.supervisor.loop.orders import Orders
from orpheus.supervisor.plan.configuration import Configuration
from orpheus.supervisor.plan.listeners import Listeners
from orpheus.supervisor.plan.plan import Plan, ProcessSpec
from orpheus.supervisor.plan.reload import Reloader
from orpheus.supervisor.policy.slot import Rules
from orpheus.supervisor.recorder import Duties, Recorder
from orpheus.supervisor.startup import (
    kill_leftovers,
    lock_database,
    make_cells_folder,
    sweep_database,
)


class PlannedByTest(Configuration):
    """Runs the children of a test instead of workers; `scaled["a"]` of `a` once it is scaled.

    The pool of a slot is what its name begins with.
    """

    plan_of_test: dict[str, Any] = msgspec.field(default_factory=dict)

    def plan(self) -> Plan:
        slots = self.plan_of_test["slots"]
        if "a" in self.scaled:
            own = {f"a-{number}": slots["a-1"] for number in range(1, self.scaled["a"] + 1)}
            slots = {slot: argv for slot, argv in slots.items() if pool_of(slot) != "a"} | own
        padding = "x" * self.plan_of_test["handover_bytes"]
        specs = {
            slot: ProcessSpec(
                slot,
                pool_of(slot),
                Role.WORKER,
                fingerprint="",
                argv=tuple(argv),
                handover={"slot": slot, "padding": padding},
            )
            for slot, argv in slots.items()
        }
        rules = Rules(**self.plan_of_test["rules"])
        all_rules: dict[tuple[Role, str | None] | None, Rules] = {None: rules}
        for pool, changes in self.plan_of_test["rules_of"].items():
            all_rules[Role.WORKER, pool] = replace(rules, **changes)
        deadline_s = self.plan_of_test["shutdown_deadline_s"]
        return Plan(specs, all_rules, deadline_s, self.plan_of_test["exit_on_fatal"])

    def main_pool(self) -> str:
        return "a"

    def workers_of(self, pool: str) -> int | None:
        count = sum(pool_of(slot) == pool for slot in self.plan_of_test["slots"])
        return self.scaled.get(pool, count) if pool == "a" else None


def pool_of(slot: str) -> str:
    return slot.rpartition("-")[0]


def no_configuration() -> Settings:
    raise ConfigurationError("no configuration in this test")


def main(plan_file: str) -> int:
    plan = json.loads(Path(plan_file).read_text())
    database, clock = Path(plan["database"]), SystemClock()
    configure_logging("debug", "console", "supervisor")
    reset_child_signal()
    become_subreaper()
    url = f"sqlite:///{database}"
    state = state_files(url)
    lock_database(state)
    kill_leftovers(state)
    store = open_store(url, create=True)
    make_cells_folder(state)
    sweep_database(store, "host-1", clock.boot_id, clock.wall_ms())
    bell = store.bells.listen_supervisor()
    store.close()
    myself = ProcessRecord(
        host="host-1",
        incarnation="the-supervisor",
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
    configuration = PlannedByTest(Settings(), None, "", plan_of_test=plan)
    interval_s = plan["rules"]["beat_interval_s"]
    upkeep = Upkeep(for_database(Settings()))
    recorder = Recorder(myself, Duties(lambda: open_store(url), interval_s, upkeep))
    sampler = Sampler(database, interval_s=0.1)
    listeners = Listeners()
    reloader = Reloader(no_configuration, Settings(), listeners, lambda _: None)
    loop = Loop(
        Children(state, recorder),
        configuration.plan(),
        myself=myself,
        clock=clock,
        sampler=sampler,
        notifier=Notifier({}),
        describing=reloader.describing,
    )
    notifier = Notifier({})
    signals = Signals()
    signals.take_over()
    Orders(loop, configuration, listeners, recorder, signals, reloader, bell, notifier)
    recorder.start()
    sampler.start()
    reloader.start()
    try:
        return loop.run()
    finally:
        recorder.stop(3)
        stop_logging()


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main(sys.argv[1]))
