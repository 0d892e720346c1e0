"""What a worker is told from outside, and what it says: signals, the control channel, beats.

One thread listens and speaks. It never touches the database, so a database that nobody can write
delays no beat and no order to stop; and it reads signals from the wake-up descriptor, which the
kernel's handler fills even while the main thread is deep inside a C call. While such a call holds
the GIL this thread cannot run; so that nothing is leased between its end and this thread's turn,
the main thread notes a signal itself before its next step.

A call that never gives the GIL back outlives a supervisor that died: it leases nothing, its lease
expires, and the next start of a supervisor kills it. faulthandler's watchdog (a thread in C, armed
anew by each beat) could end it sooner, but it fires at once when a process that was frozen for
longer goes on, before Python runs: SIGSTOP or a paused container would kill every healthy worker.
"""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from orpheus.shared.logs import get_logger, stop_logging
from orpheus.shared.process.channel import Channel
from orpheus.worker.attempt.context import Running
from orpheus.worker.control.database_watch import DatabaseWatch

EXIT_KILLED = 4
"""Exit code: stopped, but a job had to be cut off."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ORPHAN_GRACE_S = 10.0
_SECOND_SIGNAL_GRACE_S = 3.0
_NEVER = float("inf")

log = get_logger()


class Control(threading.Thread):
    """The orders a worker has, and the thread that takes them.

    The attributes are written by one thread each and read by the others.
    """

    def __init__(
        self,
        channel: Channel | None,
        *,
        beat_interval_s: float,
        stop_timeout_s: float,
        cancel_grace_s: float,
        running: Callable[[], Running | None],
    ) -> None:
        super().__init__(name="control", daemon=True)
        self.leasing = True
        """False: lease nothing more, finish what runs, and end."""
        self.stop_at_s = _NEVER
        """When a job that still runs is given up (time.monotonic)."""
        self.turns = 0
        """Grows each time the main loop turns."""
        self.jobs_done = 0
        self.database = DatabaseWatch(beat_interval_s)
        self.on_stop: Callable[[], None] = lambda: None
        """Called in this thread when an order arrived: wakes the others."""
        self._channel = channel
        self.is_alone = channel is None
        """No supervisor watches this worker."""
        self._beat_interval_s = beat_interval_s
        self._stop_timeout_s = stop_timeout_s
        self._cancel_grace_s = cancel_grace_s
        self._running = running
        self._signals_seen = 0
        self._beat = 0
        self._signal_end, write_end = socket.socketpair()
        self._signal_end.setblocking(False)
        write_end.setblocking(False)
        self._write_end = write_end
        self._take_signals()

    def _take_signals(self) -> None:
        for number in _STOP_SIGNALS:
            signal.signal(number, self._note_signal)  # and Python writes it to the descriptor
        signal.set_wakeup_fd(self._write_end.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(
            before=_hold_signals,
            after_in_parent=_let_signals_through,
            after_in_child=_give_signals_back,
        )

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        """In the main thread. What else follows from the signal is the control thread's to do."""
        self.leasing = False

    def say(self, message: dict[str, Any]) -> None:
        """Tell the supervisor, if there is one."""
        if self._channel is not None:
            self._channel.send(message)

    def drain(self) -> None:
        """Lease nothing more and finish what runs, however long it takes."""
        self.leasing = False
        self.on_stop()

    def stop(self, within_s: float, why: str) -> None:
        """Lease nothing more; what still runs after `within_s` is given up."""
        log.info("worker_stopping", why=why, within_s=within_s)
        self.stop_at_s = min(self.stop_at_s, time.monotonic() + within_s)
        self.drain()

    def run(self) -> None:
        """Listen and beat until the process ends."""
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
                next_beat_s = now_s + self._beat_interval_s
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
            if number in _STOP_SIGNALS:
                self._signals_seen += 1
                self._obey(signal.Signals(number).name)

    def _obey(self, name: str) -> None:
        if self._signals_seen == 1:
            self.stop(self._stop_timeout_s, name)
        elif not self.is_alone:
            return  # a signal to the whole process tree comes twice: the supervisor says what holds
        elif self._signals_seen == 2:
            self.stop(_SECOND_SIGNAL_GRACE_S, f"{name} again")
        else:
            exit_now(EXIT_KILLED, self._running())

    def _read_channel(self, channel: Channel) -> bool:
        """Take the supervisor's orders; True once it is gone."""
        for message in channel.receive():
            if message.get("do") == "drain":
                log.info("worker_draining")
                self.drain()
            elif message.get("do") == "stop":
                within_s = min(message.get("within_s", _NEVER), self._stop_timeout_s)
                self.stop(within_s, "told by the supervisor")
        if channel.closed:
            self.stop(_ORPHAN_GRACE_S, "the supervisor is gone")
        return channel.closed

    def _beat_message(self, now_s: float) -> dict[str, Any]:
        self._beat += 1
        running = self._running()
        return {
            "say": "beat",
            "beat": self._beat,
            "loop": self.turns,
            "job": None if running is None else self._job(running, now_s),
            "jobs_done": self.jobs_done,
            "database_ok": self.database.is_ok(),
        }

    def _job(self, running: Running, now_s: float) -> dict[str, Any]:
        return {
            "id": running.lease.job_id,
            "type": running.lease.type,
            "elapsed_s": round(now_s - running.entered_at_s, 3),
            "hard_deadline_in_s": round(running.hard_deadline_s(self._cancel_grace_s) - now_s, 3),
        }


def start_quietly(thread: threading.Thread) -> None:
    """Start a helper thread that takes no signals: they are the main thread's."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def exit_now(code: int, running: Running | None) -> None:
    """End the process from any thread, whatever the main thread is doing; a program with it."""
    kill = None if running is None else running.kill
    if kill is not None:
        kill()
    stop_logging()
    os._exit(code)


# A child that a job forks dies of SIGTERM, and never writes into its parent's descriptor, not even
# when the signal comes between the fork and the moment it has its own handlers back.


def _hold_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)


def _let_signals_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _give_signals_back() -> None:
    signal.set_wakeup_fd(-1)
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _let_signals_through()
