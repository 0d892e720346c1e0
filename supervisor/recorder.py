"""Writes everything that the supervisor stores, on one thread with its own connection.

The main loop only puts things into a queue here and never waits: a database that is locked for a
minute must not make the supervisor miss a hang. Ended processes and events are written in order,
each tried again until it is committed. The leases of a process are freed only after every process
that carries its incarnation is dead, so that none of them can still be running its jobs. They are
killed first, even while the database cannot be written: one of them may hold the port that the
next process needs. Until the leases are freed, which counts the crashes of their jobs, no worker
starts in the slot, for a few seconds at most (`unfreed`).
"""

import contextlib
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from math import inf
from threading import Thread

import msgspec

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.errors import ExitCode, StorageError
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.upkeep import Leadership, Upkeep
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.process.crash_cell import remove_cell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.last_lines import NO_JOB, read_last_lines
from orpheus.shared.process.stall import StallWatch
from orpheus.shared.storage import Listening, Store
from orpheus.supervisor.late_leases import LateLeases, cell_of
from orpheus.supervisor.linux.adoption import kill_incarnation
from orpheus.supervisor.policy.slot import ProcessEnded

log = get_logger()

_UPKEEP_INTERVAL_S = 1.0
_QUIET_INTERVAL_S = 2.0
"""The same while no event comes: nothing is submitted, starts or ends."""
_EARLY_S = 0.1
"""The upkeep may run this early, to be done just after the main loop has published the beats."""
_RETRY_S = 0.2
_MOST_LAST_OUTPUT = 20  # lines of a process that died while it ran no job
_FREED_WITHIN_S = 5.0
_COUNT_NOT = (ExitCode.OK, ExitCode.DATABASE)
"""A worker that exits with one of these leaves no lease that could count against a job type."""
_MOST_WAITING = 10_000  # events and exits kept while the database cannot be written
_MOST_LAGS = 1_000  # turns of the main loop, which makes several in a second


class Duties(msgspec.Struct, frozen=True):
    """What the recorder does by the clock, and how, from the settings in force."""

    open_store: Callable[[], Store]
    beat_interval_s: float
    upkeep: Upkeep
    listen: Callable[[], Listening] = Listening
    """Starts to listen for the commits of other hosts."""
    renew_every_s: float = 0.0
    """After we stood still, how long expired leases are not reclaimed."""
    lease_ttl_s: float = 0.0
    """If many hosts write, how long to look for late leases of a dead process."""


_NewEvent = tuple[Kind, Mapping[str, object]]
_Item = ProcessEnded | _NewEvent
_Waiting = deque[_Item]


class Recorder:
    """The supervisor's only writer. `start`, then any method from the main thread, then `stop`.

    Its `fileno` is readable when operators have requested something (`take_requests`) or leases
    have been freed (`unfreed`).
    """

    def __init__(self, myself: ProcessRecord, duties: Duties) -> None:
        self.row_beats: Mapping[str, int] = {}
        """Incarnation -> the beat in its heartbeat row, as last read; never changed in place."""
        self.turns = 0
        """Counted up by the main loop: our own heartbeat row is renewed only while it turns."""
        self._wrote_at_s = float("-inf")
        """When our own heartbeat row was last written (time.monotonic)."""
        self.loop_lags_s: deque[float] = deque(maxlen=_MOST_LAGS)
        """How late the main loop was in each turn: it appends, and a beat takes them."""
        self._lag_s = 0.0
        """The most that a beat has taken and not yet written."""
        self._myself = myself
        self._duties = duties
        self._leadership = Leadership(myself.host, myself.incarnation)
        self._listening = Listening()
        self._late_leases = LateLeases()
        self._inbox: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        """None only wakes the thread: there is something to do, but not to write."""
        self._waiting: _Waiting = deque()
        self._to_kill: deque[str] = deque()
        """Incarnations that have just ended, and may have left processes running."""
        self._unfreed: dict[str, tuple[str, float]] = {}
        """Incarnation -> its slot, and when it ended (time.monotonic); until that is written."""
        self._requests: deque[Request] = deque()
        self._news_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._upkeep_at_s = self._beat_at_s = 0.0
        self._last_seq = 0
        """The number of the newest event at the last upkeep."""
        self._slots: Sequence[SlotRecord] = ()
        self._slots_written: Sequence[SlotRecord] = ()
        self._stopping = False
        self._troubled = False
        self._turns_written = -1
        self._stall = StallWatch()
        self._thread = Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._news_fd

    def can_write(self) -> bool:
        """Return whether our own heartbeat row has been written within two intervals."""
        return time.monotonic() - self._wrote_at_s < 2 * self._duties.beat_interval_s

    def take_requests(self) -> list[Request]:
        """Return the operators' requests since the last call, oldest first."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._news_fd)
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
        if not ended.was_stopped and ended.last_exit.code not in _COUNT_NOT:
            self._unfreed[ended.incarnation] = ended.slot, time.monotonic()
        self._inbox.put(ended)

    def unfreed(self) -> Collection[str]:
        """Return the slots in which a process has just died whose leases are not freed yet.

        For 5 s at most: if the database is locked or away for longer, the next process starts
        meanwhile, and is ready when it is back.
        """
        since_s = time.monotonic() - _FREED_WITHIN_S
        ended = self._unfreed.copy()  # one atomic copy: the thread removes what it has written
        return {slot for slot, at_s in ended.values() if at_s > since_s}

    def record(self, kind: Kind, body: Mapping[str, object]) -> None:
        """Write an event of this host."""
        self._inbox.put((kind, {"host": self._myself.host, **body}))

    def publish(self, slots: Sequence[SlotRecord]) -> None:
        """Write the slots' records if they have changed; of several calls, only the newest."""
        if slots != self._slots:
            self._slots = slots
            self._inbox.put(None)

    def stop(self, timeout_s: float) -> bool:
        """Write the waiting records, delete our own rows and end; return False if time ran out."""
        self._stopping = True
        self._inbox.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def watch_late(self, ended: ProcessEnded) -> None:
        """Look for late leases of a process. Call it before `start`, or in the thread."""
        self._late_leases.watch(ended, time.monotonic(), self._duties.lease_ttl_s)

    # The thread

    def _run(self) -> None:
        store: Store | None = None
        current: Duties | None = None
        while True:
            self._collect()
            try:
                self._kill_families()
                if current is not self._duties:
                    current = self._duties
                    self._listening.stop()
                    self._listening = current.listen()
                    if store is not None:
                        store.close()
                    store = None
                if store is None:
                    store = current.open_store()
                    self._beat_at_s = 0.0
                self._write_waiting(store)
                self._write_slots_and_beat(store, current, time.monotonic())
                self._read_requests(store)
                self._keep_up(store, current, time.monotonic())
                if self._may_leave(store):
                    self._leave(store)
                    return
                self._log_trouble(None)
            except StorageError as error:
                self._log_trouble(error)
            except Exception:  # an error of ours must not end the only writer
                log.exception("recorder_failed")
                self._troubled = True  # tried again after a moment, not at once

    def _keep_up(self, store: Store, duties: Duties, now_s: float) -> None:
        """Do what is due by the clock; a step that fails is tried again a moment later."""
        self._stall.look(now_s, duties.renew_every_s)
        if now_s >= self._upkeep_at_s - _EARLY_S:
            self._upkeep_at_s = now_s + _UPKEEP_INTERVAL_S
            self._stall.expect(self._upkeep_at_s)
            # Our workers may have stood still with us, and need a moment to renew their leases.
            is_calm = self._stall.is_calm(time.monotonic())
            self._late_leases.look(store, now_s)
            leads = self._leadership.holds(store)
            next_tick_s = duties.upkeep.run(store, self._inbox.empty, reclaims=is_calm, leads=leads)
            last_seq, before = store.events.last_seq(), self._last_seq
            self._last_seq = last_seq
            interval_s = _QUIET_INTERVAL_S if last_seq == before else _UPKEEP_INTERVAL_S
            regular_s = next_multiple_s(now_s, interval_s) + _EARLY_S
            self._upkeep_at_s = min(now_s + next_tick_s, regular_s)
        self._stall.expect(self._upkeep_at_s)

    def _read_requests(self, store: Store) -> None:
        for request in store.supervision.take_requests(self._myself.host):
            if request.action is RequestAction.SEND_STACK:  # it may take seconds
                send = partial(_send_stack, self._duties.open_store, request)
                start_without_signals(Thread(target=send, name="stack", daemon=True))
            else:
                self._requests.append(store.audit.with_asker(request))
                os.eventfd_write(self._news_fd, 1)

    def _collect(self) -> None:
        """Move what has arrived to `_waiting`; wait for it until something else is due."""
        idle_s = min(self._upkeep_at_s - time.monotonic(), self._duties.beat_interval_s)
        wait_s = _RETRY_S if self._troubled or self._stopping else idle_s
        try:
            item = self._inbox.get(timeout=max(0.0, wait_s))
            while True:
                if item is not None:
                    self._waiting.append(item)
                if isinstance(item, ProcessEnded):
                    self._to_kill.append(item.incarnation)
                item = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if len(self._waiting) > _MOST_WAITING:  # all but events are few, and needed
            self._waiting = deque(item for item in self._waiting if not isinstance(item, tuple))

    def _kill_families(self) -> None:
        while self._to_kill:
            kill_family(self._to_kill[0])
            self._to_kill.popleft()

    def _write_waiting(self, store: Store) -> None:
        while self._waiting:
            item = self._waiting[0]
            try:
                if isinstance(item, ProcessEnded):
                    end_process(store, self._myself.host, item)
                    if store.has_many_hosts:
                        self.watch_late(item)
                    failpoint("supervisor.process_ended")
                else:
                    store.events.record(*item)
            except StorageError:
                raise  # it stays first, and is tried again
            except Exception:
                log.exception("record_dropped", record=repr(item))
            self._waiting.popleft()
            if isinstance(item, ProcessEnded):
                self._unfreed.pop(item.incarnation, None)
                os.eventfd_write(self._news_fd, 1)

    def _write_slots_and_beat(self, store: Store, duties: Duties, now_s: float) -> None:
        """Write the slots if they have changed and our heartbeat if it is due, in one commit."""
        slots, turns, is_due = self._slots, self.turns, now_s >= self._beat_at_s
        is_new, beats = slots != self._slots_written, is_due and turns != self._turns_written
        if is_new or beats:
            with store.write(durable=False):
                if is_new:
                    store.processes.put_slots(slots)
                    before = {slot.slot for slot in self._slots_written}
                    gone = before - {slot.slot for slot in slots}
                    store.processes.remove_slots(self._myself.host, gone)
                if beats:
                    self._beat(store, turns)
            self._slots_written = slots
        if beats:
            self._turns_written, self._wrote_at_s = turns, time.monotonic()
            self._lag_s = 0.0
            self._beat_at_s = next_multiple_s(now_s, duties.beat_interval_s)
        if is_due:
            self.row_beats = {row.incarnation: row.beat for row in store.processes.all()}

    def _beat(self, store: Store, turns: int) -> None:
        me = self._myself.incarnation
        beat = partial(store.processes.beat, me, ready=True, job_id=None, jobs_done=0)
        if not beat(beat=turns):  # the first beat, or our row was deleted
            store.processes.register(self._myself)
            beat(beat=turns)
        while self.loop_lags_s:
            self._lag_s = max(self._lag_s, self.loop_lags_s.popleft())
        late_s = store.retention.lag_s if self._leadership.led() else 0.0  # only the leader deletes
        for name, value in {"loop_lag_s": self._lag_s, "retention_lag_s": late_s}.items():
            store.supervision.put_gauge(self._myself.host, name, value)

    def leads(self) -> bool:
        """Return whether this process leads, as far as it knows. Any thread may call it."""
        return self._leadership.led()

    def _may_leave(self, store: Store) -> bool:
        is_done = self._stopping and self._inbox.empty()
        return is_done and not self._late_leases.are_likely(store, time.monotonic())

    def _leave(self, store: Store) -> None:
        self._listening.stop()
        store.maintenance.note_history()
        self._late_leases.look(store, inf)
        self._leadership.resign(store)
        with store.write(durable=False):
            names = [slot.slot for slot in self._slots_written]
            store.processes.remove_slots(self._myself.host, names)
            store.processes.forget(self._myself.incarnation)
        store.close()

    def _log_trouble(self, error: StorageError | None) -> None:
        if error is not None and not self._troubled:
            log.error("database_trouble", error=str(error), note="trying again until it is over")
        elif error is None and self._troubled:
            log.info("database_well")
        self._troubled = error is not None


def kill_family(incarnation: str) -> None:
    """Kill every process that an ended process has left running; call it before `end_process`."""
    killed = kill_incarnation(incarnation)
    if killed:
        log.warning("leftovers_killed", incarnation=incarnation, processes=killed)


def end_process(store: Store, host: str, ended: ProcessEnded) -> list[int]:
    """Free the leases of a process that has ended, count its exit and delete its row.

    Return the ids of the jobs whose leases were freed. If many hosts write, the crash cell stays
    for `LateLeases`. If StorageError is raised, nothing was written, and it may be called again.
    """
    incarnation, last_exit = ended.incarnation, ended.last_exit
    cell, state = store.state.cell(incarnation), cell_of(store, ended)
    last_lines = read_last_lines(cell, NO_JOB if state is None else state.running_token)
    with store.write(durable=True):
        store.logs.append_last(incarnation, last_lines)
        jobs = store.leases.free(
            incarnation,
            state,
            killed_at_deadline=ended.overdue,
            was_stopped=ended.was_stopped or ended.cause is None,  # its end was not seen
            evidence=last_exit.reason,
            stacks=last_exit.evidence,
            seen_ms=store.processes.seen_ms(incarnation) if ended.cause is None else None,
        )
        store.processes.forget(incarnation)
        if ended.cause is not None:
            store.supervision.count_exit(host, ended.slot, ended.cause)
    if not store.has_many_hosts:
        remove_cell(cell)
    of_no_job = [line.line for line in last_lines if line.token == NO_JOB]
    if of_no_job:
        log.warning("last_output", incarnation=incarnation, lines=of_no_job[-_MOST_LAST_OUTPUT:])
    if jobs:
        log.info("leases_freed", incarnation=incarnation, jobs=jobs)
    return jobs


def _send_stack(open_store: Callable[[], Store], request: Request) -> None:
    """Answer another host, which asks for the stack of a process of this one."""
    from orpheus.shared.operations.supervisor_requests import send_stack  # noqa: PLC0415 - seldom

    try:
        send_stack(open_store, request)
    except StorageError as error:
        log.warning("stack_not_sent", slot=request.target, error=str(error))
