"""What comes from outside, and what it means: signals, operators' requests, new configurations.

Each order changes what the slots should be (supervisor/fleet.py) and is told in the log; the loop
then does it turn by turn. Nothing here waits.
"""

import signal
from collections.abc import Callable

from shared.doorbells import Bell
from shared.events import Kind
from shared.logs import configure_logging, get_logger
from shared.requests import Request, RequestAction
from supervisor import fleet
from supervisor.configuration import Configuration
from supervisor.loop import Loop
from supervisor.notify import Notifier
from supervisor.records import Recorder
from supervisor.reload import Rejected, Reloaded, Reloader
from supervisor.signals import Signals
from supervisor.slot import Act, Deed, Slot

log = get_logger()

_MOST_WORKERS = 1_000


class Orders:
    """Takes orders for `loop`. Main thread only."""

    def __init__(
        self,
        loop: Loop,
        configuration: Configuration,
        recorder: Recorder,
        signals: Signals,
        reloader: Reloader,
        bell: Bell,
        notifier: Notifier,
    ) -> None:
        self._loop = loop
        self._configuration = configuration
        self._recorder = recorder
        self._signals = signals
        self._reloader = reloader
        self._bell = bell
        self._notifier = notifier
        loop.listen(signals, self._answer_signals)
        loop.listen(recorder, self._hear_requests)
        loop.listen(reloader, self._take_configuration)
        loop.listen(bell, self._answer_bell)

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
            self._scale(pool, min(_MOST_WORKERS, max(0, workers + more)))

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
            case RequestAction.RESTART:
                self._change_slot(request.target, fleet.restart)
            case RequestAction.DRAIN:
                self._change_slot(request.target, fleet.drain)
            case RequestAction.STACK:
                slot = self._loop.slots.get(request.target)
                if slot is not None and slot.life is not None:
                    self._loop.perform(slot, Act(Deed.DUMP, slot.life.incarnation))
            case RequestAction.SCALE:
                if self._configuration.workers_of(request.target) is not None:
                    self._scale(request.target, request.workers or 0)

    def _change_slot(self, name: str, change: Callable[[Slot], Slot]) -> None:
        slot = self._loop.slots.get(name)
        if slot is None or slot.retired:
            log.warning("no_such_slot", slot=name)
            return
        self._loop.slots[name] = change(slot)

    def _scale(self, pool: str, workers: int) -> None:
        log.info("pool_scaled", pool=pool, workers=workers)
        self._configuration.scale(pool, workers)
        self._loop.adopt(self._configuration.plan())

    # New configurations

    def _take_configuration(self) -> None:
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
        if new.settings.logging != configuration.settings.logging:
            configure_logging(new.settings.logging.level, new.settings.logging.format, "supervisor")
        configuration.adopt(new.settings, new.listener, new.code)
        self._loop.slots = fleet.try_again(self._loop.slots)
        if new.replace_all:
            self._loop.slots = fleet.outdate(self._loop.slots)
        self._loop.adopt(configuration.plan())
        self._loop.trouble = ""
        self._recorder.adopt(configuration.duties())
        restarts = [slot.name for slot in self._loop.slots.values() if fleet.is_outdated(slot)]
        body = {
            "source": str(new.settings.source or ""),
            "why": new.why,
            "changed": list(new.changed),
            "restarts": restarts,
        }
        self._recorder.note(Kind.CONFIG_RELOADED, body)
        log.info("config_reloaded", why=new.why, changed=list(new.changed), restarts=restarts)

    def _reject(self, rejected: Rejected) -> None:
        self._loop.trouble = f"configuration rejected: {rejected.reason}"
        source = str(self._configuration.settings.source or "")
        body = {"source": source, "why": rejected.why, "reason": rejected.reason}
        self._recorder.note(Kind.CONFIG_REJECTED, body)
        log.error("config_rejected", why=rejected.why, reason=rejected.reason)
