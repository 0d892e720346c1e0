"""Writes everything that the supervisor stores, on one thread with its own connection.

The main loop only puts things into a queue here and never waits: a database that is locked for a
minute must not make the supervisor miss a hang. Ended processes and events are written in order,
each tried again until it is committed. The leases of a process are freed only after every process
that carries its incarnation is dead, so that none of them can still be running its jobs.
"""

import contextlib
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.domain.requests import Request
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.crash_cell import cell_path, read_cell, remove_cell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.storage import Store
from orpheus.supervisor.linux.adoption import kill_incarnation
from orpheus.supervisor.policy.slot import ProcessEnded

log = get_logger()

_UPKEEP_INTERVAL_S = 1.0
_RETRY_S = 0.2
_MOST_WAITING = 10_000  # events and exits kept while the database cannot be written


@dataclass(frozen=True, slots=True)
class Duties:
    """What the recorder does by the clock, and how, from the settings in force."""

    open_store: Callable[[], Store]
    beat_interval_s: float
    upkeep: Upkeep


_NewEvent = tuple[Kind, Mapping[str, object]]


class Recorder:
    """The supervisor's only writer. `start`, then any method from the main thread, then `stop`.

    Its `fileno` is readable when operators have requested something (`take_requests`).
    """

    def __init__(self, database: Path, myself: ProcessRecord, duties: Duties) -> None:
        self.row_beats: Mapping[str, int] = {}
        """Incarnation -> the beat in its heartbeat row, as last read; never changed in place."""
        self.turns = 0
        """Counted up by the main loop: our own heartbeat row is renewed only while it turns."""
        self.loop_lag_s = 0.0
        """Set by the main loop: the most it has been late since the last beat."""
        self._database = database
        self._myself = myself
        self._duties = duties
        self._inbox: queue.SimpleQueue[ProcessEnded | _NewEvent | None] = queue.SimpleQueue()
        """None: nothing to write, but something else to do."""
        self._waiting: deque[ProcessEnded | _NewEvent] = deque()
        self._requests: deque[Request] = deque()
        self._requests_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._upkeep_at_s = self._beat_at_s = 0.0
        self._slots: Sequence[SlotRecord] = ()
        self._slots_written: Sequence[SlotRecord] = ()
        self._stopping = False
        self._troubled = False
        self._turns_written = -1
        self._thread = Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._requests_fd

    def take_requests(self) -> list[Request]:
        """Return the operators' requests since the last call, oldest first."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._requests_fd)
        return [self._requests.popleft() for _ in range(len(self._requests))]

    def read_requests_now(self) -> None:
        """Read the operators' requests now (the bell has rung), not at the next upkeep."""
        self._inbox.put(None)

    def adopt(self, duties: Duties) -> None:
        """Use other settings from now on."""
        self._duties = duties
        self._inbox.put(None)

    def end_process(self, ended: ProcessEnded) -> None:
        """Free the leases of an ended process, count its exit and delete its row."""
        self._inbox.put(ended)

    def record(self, kind: Kind, body: Mapping[str, object]) -> None:
        """Write an event."""
        self._inbox.put((kind, body))

    def publish(self, slots: Sequence[SlotRecord]) -> None:
        """Write the slots' records if they have changed; if called often, only the newest."""
        if slots != self._slots:
            self._slots = slots
            self._inbox.put(None)

    def stop(self, timeout_s: float) -> bool:
        """Write what is waiting, delete our own rows and end; return False if time ran out."""
        self._stopping = True
        self._inbox.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # The thread

    def _run(self) -> None:
        store: Store | None = None
        in_force: Duties | None = None
        while True:
            self._collect()
            try:
                if store is None or in_force is not self._duties:
                    in_force = self._duties
                    if store is not None:
                        store.close()
                    store = None
                    store = in_force.open_store()
                    self._beat_at_s = 0.0
                self._write_waiting(store)
                self._write_slots(store)
                self._read_requests(store)
                self._keep_up(store, in_force, time.monotonic())
                if self._stopping and self._inbox.empty():
                    self._leave(store)
                    return
                self._log_trouble(None)
            except StorageError as error:
                self._log_trouble(error)
            except Exception:  # an error of ours must not end the only writer
                log.exception("recorder_failed")

    def _keep_up(self, store: Store, duties: Duties, now_s: float) -> None:
        """Do what is due by the clock; a step that fails is tried again a moment later."""
        if now_s >= self._beat_at_s:
            self._beat(store)
            self._beat_at_s = now_s + duties.beat_interval_s
        if now_s >= self._upkeep_at_s:
            self._upkeep_at_s = now_s + _UPKEEP_INTERVAL_S
            next_tick_s = duties.upkeep.run(store, self._inbox.empty)
            self._upkeep_at_s = now_s + min(next_tick_s, _UPKEEP_INTERVAL_S)

    def _read_requests(self, store: Store) -> None:
        requests = store.supervision.take_requests()
        if requests:
            self._requests.extend(requests)
            os.eventfd_write(self._requests_fd, 1)

    def _collect(self) -> None:
        """Move what has arrived to `_waiting`; wait for it until something else is due."""
        idle_s = min(self._upkeep_at_s - time.monotonic(), self._duties.beat_interval_s)
        wait_s = _RETRY_S if self._troubled else idle_s
        try:
            item = self._inbox.get(timeout=max(0.0, wait_s))
            while True:
                if item is not None:
                    self._waiting.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if len(self._waiting) > _MOST_WAITING:  # exits are few, and needed; events are not
            self._waiting = deque(one for one in self._waiting if isinstance(one, ProcessEnded))

    def _write_waiting(self, store: Store) -> None:
        while self._waiting:
            item = self._waiting[0]
            try:
                if isinstance(item, ProcessEnded):
                    end_process(store, self._database, item)
                    failpoint("supervisor.process_ended")
                else:
                    store.events.record(*item)
            except StorageError:
                raise  # it stays first, and is tried again
            except Exception:
                log.exception("record_dropped", record=repr(item))
            self._waiting.popleft()

    def _write_slots(self, store: Store) -> None:
        slots = self._slots
        if slots == self._slots_written:
            return
        gone = {slot.slot for slot in self._slots_written} - {slot.slot for slot in slots}
        with store.write(durable=False):
            store.processes.put_slots(slots)
            store.processes.remove_slots(gone)
        self._slots_written = slots

    def _beat(self, store: Store) -> None:
        turns = self.turns
        if turns != self._turns_written:
            me = self._myself.incarnation
            beat = partial(store.processes.beat, me, ready=True, job_id=None, jobs_done=0)
            if not beat(beat=turns):  # the first beat, or our row was deleted
                store.processes.register(self._myself)
                beat(beat=turns)
            self._turns_written = turns
            lag_s, self.loop_lag_s = self.loop_lag_s, 0.0
            store.supervision.put_gauge("loop_lag_s", lag_s)
        self.row_beats = {row.incarnation: row.beat for row in store.processes.all()}

    def _leave(self, store: Store) -> None:
        with store.write(durable=False):
            store.processes.remove_slots([slot.slot for slot in self._slots_written])
            store.processes.forget(self._myself.incarnation)
        store.close()

    def _log_trouble(self, error: StorageError | None) -> None:
        if error is not None and not self._troubled:
            log.error("database_trouble", error=str(error), note="trying again until it is over")
        elif error is None and self._troubled:
            log.info("database_well")
        self._troubled = error is not None


def end_process(store: Store, database: Path, ended: ProcessEnded) -> list[int]:
    """Kill what is left of a process, free its leases, count its exit and delete its row.

    Return the ids of the jobs whose leases were freed. Raises StorageError, and may then be called
    again: nothing has been written.
    """
    incarnation, last_exit = ended.incarnation, ended.last_exit
    killed = kill_incarnation(incarnation)
    if killed:
        log.warning("leftovers_killed", incarnation=incarnation, processes=killed)
    cell = cell_path(database, incarnation)
    evidence = "\n".join(part for part in (last_exit.reason, last_exit.evidence) if part)
    with store.write(durable=True):
        jobs = store.leases.free(
            incarnation, read_cell(cell), killed_at_deadline=ended.overdue, evidence=evidence
        )
        store.processes.forget(incarnation)
        if ended.cause is not None:
            store.supervision.count_exit(ended.slot, ended.cause)
    remove_cell(cell)
    if jobs:
        log.info("leases_freed", incarnation=incarnation, jobs=jobs)
    return jobs
