"""Carries out orders from outside: signals, operators' requests, new configurations.

Each order changes what the slots should be (supervisor/policy/fleet.py) and is logged; the loop
then makes it happen, turn by turn. Nothing here waits.
"""

import signal
from collections.abc import Iterable

import msgspec

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.requests import MOST_WORKERS, Request, RequestAction, reload_name
from orpheus.shared.logs import get_logger
from orpheus.shared.process.doorbells import Bell
from orpheus.supervisor.linux.signals import Signals
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.loop import Loop
from orpheus.supervisor.outbox.drainers import Drainers
from orpheus.supervisor.plan.configuration import Configuration
from orpheus.supervisor.plan.listeners import Listeners
from orpheus.supervisor.plan.reload import Rejected, Reloaded, Reloader
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.slot import ProcessCommand, SendCommand, Slot
from orpheus.supervisor.recorder import Recorder

log = get_logger()

_MOST_LINES = 8
_LONGEST_LINE = 500


class Orders(msgspec.Struct, eq=False):
    """Takes orders for `loop`. Main thread only."""

    loop: Loop
    configuration: Configuration
    listeners: Listeners
    recorder: Recorder
    signals: Signals
    reloader: Reloader
    bell: Bell
    notifier: Notifier
    drainers: Drainers = msgspec.field(default_factory=Drainers)
    _has_moved: bool = False
    """The API may have got another address: a socket that is no longer needed may be open."""

    def __post_init__(self) -> None:
        """Have the loop call this whenever something has arrived."""
        self.loop.listen(self.signals.fileno(), self._answer_signals)
        self.loop.listen(self.recorder.fileno(), self._answer_requests)
        self.loop.listen(self.reloader.fileno(), self._take_configuration)
        self.loop.listen(self.bell.fileno(), self._answer_bell)

    # Signals

    def _answer_signals(self) -> None:
        for number in self.signals.take():
            self._answer(signal.Signals(number))

    def _answer(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGHUP if not self.signals.terminal_gone():
                self._reload("SIGHUP")
            case signal.SIGUSR2:
                self._reload("SIGUSR2", replaces=Role)
            case signal.SIGTTIN:
                self._scale_by(+1)
            case signal.SIGTTOU:
                self._scale_by(-1)
            case signal.SIGQUIT:
                self.loop.stop(number.name, fast=True)
            case _:
                self.loop.stop(number.name)

    def _reload(self, why: str, *, replaces: Iterable[Role] = ()) -> None:
        if self.loop.is_stopping:
            return
        self.notifier.reloading()
        self.reloader.ask(why, replaces=replaces)

    def _scale_by(self, more: int) -> None:
        pool = self.configuration.main_pool()
        workers = self.configuration.workers_of(pool)
        if workers is not None:
            self._scale(pool, min(MOST_WORKERS, max(0, workers + more)))

    # Operators' requests

    def _answer_bell(self) -> None:
        if self.bell.drain():
            self.recorder.read_requests_now()

    def _answer_requests(self) -> None:
        for request in self.recorder.take_requests():
            if not self.loop.is_stopping:
                self._do(request)

    def _do(self, request: Request) -> None:
        action, target, workers = request.action, request.target, request.workers
        log.info("operator_request", action=action.value, target=target, workers=workers)
        slot = self.loop.slots.get(target)
        if action is RequestAction.RELOAD:
            self._reload(reload_name(request.id))
        elif action is RequestAction.STOP:
            self.loop.stop(f"stop{request.by}")
        elif action is RequestAction.SCALE:
            if self.configuration.workers_of(target) is None:
                log.warning("no_such_pool", pool=target)
            else:
                self._scale(target, workers or 0)
        elif slot is None or slot.retired or target != slot.name:  # the key of a companion
            log.warning("no_such_slot", slot=target)
        else:
            self._do_to_slot(action, slot)

    def _do_to_slot(self, action: RequestAction, slot: Slot) -> None:
        loop, process = self.loop, slot.process
        if action is RequestAction.RESTART:
            loop.slots = fleet.restart(loop.slots, slot.name)
        elif action is RequestAction.DRAIN:
            loop.slots[slot.name] = fleet.drain(slot)
        elif process is not None and (process.seen.ready or process.seen.beat is not None):
            # Earlier, the process does not handle the signal yet, and may die of it.
            loop.children.perform(slot, SendCommand(ProcessCommand.DUMP, process.incarnation))

    def _scale(self, pool: str, workers: int) -> None:
        log.info("pool_scaled", pool=pool, workers=workers)
        self.configuration.scale(pool, workers)
        self.loop.adopt(self.configuration.plan())

    # New configurations

    def _close_old_listeners(self) -> None:
        if self._has_moved and not fleet.is_replacing_api(self.loop.slots):
            self.listeners.keep_only(self.configuration.listener)
            self._has_moved = False

    def _take_configuration(self) -> None:
        self._close_old_listeners()
        self.drainers.turn()
        for result in self.reloader.take():
            if self.loop.is_stopping:
                return
            if isinstance(result, Reloaded):
                self._adopt(result)
            else:
                self.reject(result)
            self.notifier.reloaded(self.loop.status)

    def _adopt(self, new: Reloaded) -> None:
        configuration = self.configuration
        self._has_moved = True  # by it, or by a file that waited for the database before
        if new.listener is not None:
            self.listeners.let_go(new.listener)
        configuration.adopt(new.settings, new.listener, new.build)
        self.loop.slots = fleet.retry_failed(self.loop.slots)
        self.loop.slots = fleet.rolling_restart(self.loop.slots, new.replaces)
        self.loop.adopt(configuration.plan())
        self.loop.rejected = None
        self.recorder.adopt(configuration.duties())
        self.drainers.adopt(configuration.outboxes())
        slots = self.loop.slots.values()
        restarts = sorted({slot.name for slot in slots if fleet.is_outdated(slot)})
        body = {
            "source": str(new.settings.source or ""),
            "why": new.why,
            "changed": list(new.changed),
            "restarts": restarts,
        }
        self.recorder.record(Kind.CONFIG_RELOADED, body)
        log.info("config_reloaded", why=new.why, changed=list(new.changed), restarts=restarts)

    def reject(self, rejected: Rejected) -> None:
        """Go on as before, and say why where people look."""
        self._has_moved = True  # it may have bound a socket that is not needed
        self.loop.rejected = _in_short(rejected.reason)
        source = str(self.configuration.settings.source or "")
        body = {"source": source, "why": rejected.why, "reason": rejected.reason}
        self.recorder.record(Kind.CONFIG_REJECTED, body)
        headline, *rows = rejected.reason.splitlines() or [""]
        trace = {"exception": "\n".join(rows)} if rows else {}
        event = "code_rejected" if rejected.is_code else "config_rejected"
        log.error(event, why=rejected.why, reason=headline, **trace)


def _in_short(reason: str) -> str:
    """Join the lines of a reason; of a long traceback, keep the first line and the last."""
    lines = [line.strip()[:_LONGEST_LINE] for line in reason.splitlines() if line.strip()]
    if len(lines) > _MOST_LINES:
        lines = [lines[0], "…", lines[-1]]
    return " · ".join(lines)
