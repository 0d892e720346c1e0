"""The thread that takes orders (signals, the control channel) and sends beats to the supervisor.

It never uses the database, so a database that cannot be written delays no beat and no order. It
reads signals from the wake-up descriptor, which the C signal handler fills even while the main
thread is in a long C call. While such a call holds the GIL, this thread cannot run. So the main
thread itself notes a signal before its next step, and leases nothing between the end of the call
and this thread's turn.

A call that never releases the GIL outlives a supervisor that died: the worker leases nothing, its
lease expires, and the next supervisor kills it at its start. The watchdog of faulthandler (a C
thread, set anew by each beat) could end it sooner, but it fires at once when a process that was
frozen for longer continues, before Python runs: SIGSTOP or a paused container would kill every
healthy worker.
"""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.errors import ExitCode
from orpheus.shared.logs import get_logger, stop_logging
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.child_start import write_stacks
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.process.stop_signals import stop_signals
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.control.database_watch import DatabaseWatch

_ORPHAN_GRACE_S = 10.0
_SECOND_SIGNAL_GRACE_S = 3.0
_NEVER = float("inf")

log = get_logger()


class ControlThread(threading.Thread):
    """The worker's orders, and the thread that takes them.

    Each attribute is written by one thread and read by the others.
    """

    def __init__(
        self,
        settings: WorkerHandover,
        channel: Channel | None,
        running: Callable[[], Sequence[RunningAttempt]],
    ) -> None:
        super().__init__(name="control", daemon=True)
        self.may_lease = True
        """False: lease nothing more, finish the running job, and exit."""
        self.stop_deadline_s = _NEVER
        """When the process releases a job that still runs, and exits (time.monotonic)."""
        self.loop_turns = 0
        """Counts the turns of the main loop: a beat shows that it moves."""
        self.jobs_done = 0
        self.database = DatabaseWatch(settings.beat_interval_s)
        self.on_order: Callable[[], None] = lambda: None
        """Called in this thread when an order has come: wakes the other threads."""
        self._channel = channel
        self.is_alone = channel is None
        """No supervisor watches this worker."""
        self._settings = settings
        self._running = running
        self._signals_seen = 0
        self._beat = 0
        self._signal_end, self._write_end = socket.socketpair()
        self._signal_end.setblocking(False)
        self._write_end.setblocking(False)
        self._take_signals()

    def _take_signals(self) -> None:
        for number in stop_signals():
            signal.signal(number, self._note_signal)  # Python also writes it to the descriptor
        signal.set_wakeup_fd(self._write_end.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(
            before=_block_signals, after_in_parent=_unblock_signals, after_in_child=_reset_signals
        )

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Note a signal, in the main thread; the control thread does everything else about it."""
        self.may_lease = False

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the supervisor, if there is one."""
        if self._channel is not None:
            self._channel.send(message)

    def channel_fd(self) -> int | None:
        """Return the descriptor of the control channel, if there is one."""
        return None if self._channel is None else self._channel.fileno()

    def drain(self) -> None:
        """Lease nothing more and finish the running job, however long it takes."""
        self.may_lease = False
        self.on_order()

    def stop(self, within_s: float, why: str) -> None:
        """Lease nothing more; a job that still runs after `within_s` is released."""
        log.info("worker_stopping", why=why, within_s=within_s)
        self.stop_deadline_s = min(self.stop_deadline_s, time.monotonic() + within_s)
        self.drain()

    def run(self) -> None:
        """Take orders and send beats until the process exits."""
        try:
            self._listen()
        except BaseException:
            log.exception("control_thread_failed")
            exit_now(1, self._running())

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._signal_end, select.POLLIN)
        if self._channel is not None:
            poll.register(self._channel, select.POLLIN)
        next_beat_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if self._channel is not None and now_s >= next_beat_s:
                next_beat_s = next_multiple_s(now_s, self._settings.beat_interval_s)
                self._channel.send(self._beat_message(now_s))
            wait_ms = None if self._channel is None else (next_beat_s - now_s) * 1000
            for fd, _ in poll.poll(wait_ms):
                if fd == self._signal_end.fileno():
                    self._read_signals()
                elif self._channel is not None and self._read_channel(self._channel):
                    poll.unregister(fd)
                    self._channel = None

    def _read_signals(self) -> None:
        for number in self._signal_end.recv(4096):
            if number in stop_signals():
                self._signals_seen += 1
                self._handle_signal(signal.Signals(number).name)

    def _handle_signal(self, name: str) -> None:
        if self._signals_seen == 1:
            self.stop(self._settings.stop_timeout_s, name)
        elif not self.is_alone:
            # A signal to the whole process tree arrives twice: from its sender and from the
            # supervisor. Only the supervisor's orders shorten a stop.
            return
        elif self._signals_seen == 2:
            self.stop(_SECOND_SIGNAL_GRACE_S, f"{name} again")
        else:
            exit_now(ExitCode.CUT_SHORT, self._running())

    def _read_channel(self, channel: Channel) -> bool:
        """Take the supervisor's orders. Returns whether the supervisor is gone."""
        for message in channel.receive():
            if message.get("do") == "drain":
                log.info("worker_draining")
                self.drain()
            elif message.get("do") == "stop":
                within_s = min(message.get("within_s", _NEVER), self._settings.stop_timeout_s)
                self.stop(within_s, "told by the supervisor")
            elif message.get("do") == "stack":
                write_stacks()
        if channel.closed:
            self.stop(_ORPHAN_GRACE_S, "the supervisor is gone")
        return channel.closed

    def _beat_message(self, now_s: float) -> dict[str, Any]:
        self._beat += 1
        attempts = self._running()
        return {
            "say": "beat",
            "beat": self._beat,
            "loop": self.loop_turns,
            "job": self._job_message(attempts, now_s) if attempts else None,
            "jobs_done": self.jobs_done,
            "database_ok": self.database.is_ok(),
        }

    def _job_message(self, attempts: Sequence[RunningAttempt], now_s: float) -> dict[str, Any]:
        """Return the job whose hard deadline comes first: the supervisor ends the process then."""
        grace_s = self._settings.cancel_grace_s
        first = min(attempts, key=lambda attempt: attempt.hard_deadline_s(grace_s))
        deadline_s = first.hard_deadline_s(grace_s)
        if deadline_s <= now_s:
            overdue = [attempt for attempt in attempts if attempt.hard_deadline_s(grace_s) <= now_s]
            for attempt in overdue:
                if attempt.note_overdue is not None:
                    attempt.note_overdue()
        return {
            "id": first.lease.job_id,
            "type": first.lease.type,
            "elapsed_s": round(now_s - first.started_at_s, 3),
            "hard_deadline_in_s": round(deadline_s - now_s, 3),
        }


def exit_now(code: int, attempts: Sequence[RunningAttempt]) -> None:
    """Exit from any thread, whatever the others do; first end the programs of attempts."""
    kill_programs(attempts)
    stop_logging()
    os._exit(code)


def kill_programs(attempts: Sequence[RunningAttempt]) -> None:
    """End the programs that attempts run, all at once: each may take a while."""
    kills = [kill for attempt in attempts if (kill := attempt.kill_program) is not None]
    threads = [threading.Thread(target=kill, daemon=True) for kill in kills[1:]]
    for thread in threads:
        thread.start()
    for kill in kills[:1]:
        kill()
    for thread in threads:
        thread.join()


# SIGTERM ends a child that a job forks. The child never writes into its parent's descriptor, even
# if the signal comes after the fork and before the default handlers are set.


def _block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stop_signals())


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (*stop_signals(), signal.SIGALRM):  # the timeout is the parent's
        signal.signal(number, signal.SIG_DFL)
    _unblock_signals()
