"""The drainers of all configured outboxes: started, replaced and stopped with the configuration."""

import time
from collections.abc import Callable, Sequence

from orpheus.supervisor.outbox.drainer import Drainer, OutboxSettings


class Drainers:
    """One drainer for each outbox, by name. Main thread only; nothing here waits but `stop`."""

    def __init__(self, leads: Callable[[], bool] = lambda: True) -> None:
        """`leads`: whether this host leads, if several share the database."""
        self._leads = leads
        self._drainers: dict[str, Drainer] = {}
        self._ending: dict[str, Drainer] = {}
        """Those of outboxes that are no longer configured; they were told to stop."""

    def adopt(self, outboxes: Sequence[OutboxSettings]) -> None:
        """Drain these outboxes from now on; a drainer with the same settings goes on."""
        wanted = {outbox.name: outbox for outbox in outboxes}
        for name, drainer in list(self._drainers.items()):
            if wanted.get(name) != drainer.settings:
                drainer.stop()
        before = {**self._ending, **self._drainers}
        self._drainers = {
            name: old
            if (old := self._drainers.get(name)) is not None and old.settings == settings
            else self._started(settings, before.get(name))
            for name, settings in wanted.items()
        }
        self._ending = {
            name: drainer
            for name, drainer in before.items()
            if name not in wanted and not drainer.join(0)
        }

    def _started(self, settings: OutboxSettings, predecessor: Drainer | None) -> Drainer:
        drainer = Drainer(settings, predecessor, self._leads)
        drainer.start()
        return drainer

    def turn(self) -> None:
        """Start the drainers that could not be started, for want of a thread."""
        for drainer in self._drainers.values():
            drainer.start()

    def trouble(self) -> str:
        """Return what keeps outboxes from being drained; empty if all is well."""
        found = ((name, drainer.trouble) for name, drainer in self._drainers.items())
        return "; ".join(f"outbox {name}: {trouble}" for name, trouble in found if trouble)

    def stop(self, timeout_s: float) -> None:
        """Stop all, and wait up to `timeout_s` in all; what still runs may be killed safely."""
        give_up_at_s = time.monotonic() + timeout_s
        for drainer in self._drainers.values():
            drainer.stop()
        for drainer in (*self._drainers.values(), *self._ending.values()):
            drainer.join(max(0.0, give_up_at_s - time.monotonic()))
