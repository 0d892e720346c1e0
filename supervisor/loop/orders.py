"""What comes from outside, and what it means: signals, operators' requests, new configurations.

Each order changes what the slots should be (supervisor/policy/fleet.py) and is logged; the loop
then does it turn by turn. Nothing here waits.
"""

import signal

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.requests import MOST_WORKERS, Request, RequestAction
from orpheus.shared.logs import get_logger
from orpheus.shared.process.doorbells import Bell
from orpheus.supervisor.linux.signals import Signals
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.loop import Loop
from orpheus.supervisor.plan.in_force import Configuration
from orpheus.supervisor.plan.listeners import Listeners
from orpheus.supervisor.plan.reload import Rejected, Reloaded, Reloader
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.slot import Act, Deed, Slot
from orpheus.supervisor.recorder import Recorder

log = get_logger()

_MOST_LINES = 8
_LONGEST_LINE = 500


class Orders:
    """Takes orders for `loop`. Main thread only."""

    def __init__(
        self,
        loop: Loop,
        configuration: Configuration,
        listeners: Listeners,
        recorder: Recorder,
        signals: Signals,
        reloader: Reloader,
        bell: Bell,
        notifier: Notifier,
    ) -> None:
        self._loop = loop
        self._configuration = configuration
        self._listeners = listeners
        self._recorder = recorder
        self._signals = signals
        self._reloader = reloader
        self._bell = bell
        self._notifier = notifier
        loop.listen(signals, self._answer_signals)
        loop.listen(recorder, self._hear_requests)
        loop.listen(reloader, self._take_configuration)
        loop.listen(bell, self._answer_bell)
        self._has_moved = False
        """The API was given another address: the old socket may be open still."""

    # Signals

    def _answer_signals(self) -> None:
        for number in self._signals.take():
            self._answer(signal.Signals(number))

    def _answer(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGHUP if not self._signals.terminal_gone():
                self._reload("SIGHUP")
            case signal.SIGUSR2:
                self._reload("SIGUSR2", replace_all=True)
            case signal.SIGTTIN:
                self._scale_by(+1)
            case signal.SIGTTOU:
                self._scale_by(-1)
            case signal.SIGQUIT:
                self._loop.stop(number.name, hasty=True)
            case _:
                self._loop.stop(number.name)

    def _reload(self, why: str, *, replace_all: bool = False) -> None:
        if self._loop.is_stopping:
            return
        self._notifier.reloading()
        self._reloader.ask(why, replace_all=replace_all)

    def _scale_by(self, more: int) -> None:
        pool = self._configuration.main_pool()
        workers = self._configuration.workers_of(pool)
        if workers is not None:
            self._scale(pool, min(MOST_WORKERS, max(0, workers + more)))

    # Operators' requests

    def _answer_bell(self) -> None:
        if self._bell.drain():
            self._recorder.look_for_requests()

    def _hear_requests(self) -> None:
        for request in self._recorder.take_requests():
            if not self._loop.is_stopping:
                self._do(request)

    def _do(self, request: Request) -> None:
        log.info(
            "operator_asks",
            action=request.action.value,
            target=request.target,
            workers=request.workers,
        )
        match request.action:
            case RequestAction.SCALE:
                if self._configuration.workers_of(request.target) is None:
                    log.warning("no_such_pool", pool=request.target)
                else:
                    self._scale(request.target, request.workers or 0)
            case _:
                slot = self._loop.slots.get(request.target)
                if slot is None or slot.retired:
                    log.warning("no_such_slot", slot=request.target)
                else:
                    self._do_to_slot(request.action, slot)

    def _do_to_slot(self, action: RequestAction, slot: Slot) -> None:
        loop, name, life = self._loop, slot.name, slot.life
        if action is RequestAction.RESTART:
            loop.slots = fleet.restarted(loop.slots, name)
        elif action is RequestAction.DRAIN:
            loop.slots[name] = fleet.drain(slot)
        elif life is not None and life.beat is not None:  # before its first beat it would kill it
            loop.perform(slot, Act(Deed.DUMP, life.incarnation))

    def _scale(self, pool: str, workers: int) -> None:
        log.info("pool_scaled", pool=pool, workers=workers)
        self._configuration.scale(pool, workers)
        self._loop.adopt(self._configuration.plan())

    # New configurations

    def _close_old_listeners(self) -> None:
        if self._has_moved and not fleet.is_replacing_api(self._loop.slots):
            self._listeners.keep_only(self._configuration.listener)
            self._has_moved = False

    def _take_configuration(self) -> None:
        self._close_old_listeners()
        for result in self._reloader.take():
            if self._loop.is_stopping:
                return
            if isinstance(result, Reloaded):
                self._adopt(result)
            else:
                self._reject(result)
            self._notifier.ready(self._loop.status)

    def _adopt(self, new: Reloaded) -> None:
        configuration = self._configuration
        self._has_moved |= new.listener is not configuration.listener
        self._listeners.give_back()
        configuration.adopt(new.settings, new.listener, new.code)
        self._loop.slots = fleet.try_again(self._loop.slots)
        if new.replace_all:
            self._loop.slots = fleet.outdate(self._loop.slots)
        self._loop.adopt(configuration.plan())
        self._loop.rejected = None
        self._recorder.adopt(configuration.duties())
        slots = self._loop.slots.values()
        restarts = sorted({slot.name for slot in slots if fleet.is_outdated(slot)})
        body = {
            "source": str(new.settings.source or ""),
            "why": new.why,
            "changed": list(new.changed),
            "restarts": restarts,
        }
        self._recorder.note(Kind.CONFIG_RELOADED, body)
        log.info("config_reloaded", why=new.why, changed=list(new.changed), restarts=restarts)

    def _reject(self, rejected: Rejected) -> None:
        self._has_moved = True  # it may have bound a socket that nobody will use
        self._loop.rejected = _in_short(rejected.reason)
        source = str(self._configuration.settings.source or "")
        body = {"source": source, "why": rejected.why, "reason": rejected.reason}
        self._recorder.note(Kind.CONFIG_REJECTED, body)
        log.error("config_rejected", why=rejected.why, reason=rejected.reason)


def _in_short(reason: str) -> str:
    """In one line: every problem of a file, of a long traceback the first line and the last."""
    lines = [line.strip()[:_LONGEST_LINE] for line in reason.splitlines() if line.strip()]
    if len(lines) > _MOST_LINES:
        lines = [lines[0], "…", lines[-1]]
    return " · ".join(lines)
