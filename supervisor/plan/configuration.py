"""The settings of a supervisor, what operators changed on top, and the plan that follows."""

from collections.abc import Sequence
from socket import socket

import msgspec

from orpheus.config.editing.versions import Versions
from orpheus.config.effective import effective_note
from orpheus.config.handovers import for_database, for_jobs, for_storage
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.limits import allow_open_files
from orpheus.shared.process.living_note import write_note
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import listen, open_storage
from orpheus.supervisor.outbox.drainer import OutboxSettings
from orpheus.supervisor.plan.plan import Plan, make_plan
from orpheus.supervisor.recorder import Duties

log = get_logger()

_LEAST_FILES = 128
"""A worker needs no more for one job at a time, nor the API for a few clients."""
_OWN_FILES, _FILES_OF_A_SLOT = 64, 4
"""The supervisor holds three files for a slot, and opens more while it starts a process."""


def allow_files_for(settings: Settings) -> None:
    """Raise the soft limit of open files to what the slots of the settings need.

    Raises ConfigurationError if the hard limit is too low.
    """
    slots = sum(_sizes(settings).values()) + settings.api.enabled
    needed = max(_LEAST_FILES, _OWN_FILES + _FILES_OF_A_SLOT * slots)
    if (allowed := allow_open_files(needed)) < needed:
        raise ConfigurationError(
            f"Orpheus needs to open {needed} files for {slots} slots, and may open {allowed}: "
            "raise the hard limit (ulimit -Hn, LimitNOFILE= in systemd)"
        )


class Configuration(msgspec.Struct):
    """The settings that the supervisor works by. Main thread only."""

    settings: Settings
    listener: socket | None
    """The API's listening socket; None without an API."""
    build: str | None
    """The name of the job types that the modules define: see `Types`. None if the modules have not
    been imported yet: until then no worker runs."""
    scaled: dict[str, int] = msgspec.field(default_factory=dict)
    """Pool or program -> the number of slots that an operator set instead of the configured one."""
    sets: Sequence[str] = ()
    """The `--set` options."""
    debugs: bool = False
    """Jobs have the terminal."""

    def plan(self) -> Plan:
        """Return what should run now."""
        socket_fd = None if self.listener is None else self.listener.fileno()
        scaled = self.scaled
        if self.build is None:
            scaled = {**scaled, **dict.fromkeys(self.settings.pools, 0)}
        return make_plan(
            self.settings, socket_fd, self.build or "", scaled, self.sets, debugs=self.debugs
        )

    def duties(self) -> Duties:
        """Return what the recorder does regularly."""
        storage = for_storage(self.settings)
        return Duties(
            open_store=lambda: open_storage(storage),
            beat_interval_s=self.settings.heartbeats.interval,
            listen=lambda: listen(storage),
            upkeep=Upkeep(for_database(self.settings)),
            renew_every_s=self.settings.leases.renew_every,
            lease_ttl_s=self.settings.leases.ttl,
        )

    def outboxes(self) -> list[OutboxSettings]:
        """Return the outboxes to drain."""
        return [
            OutboxSettings(
                name=outbox.name,
                url=outbox.url,
                table=outbox.table,
                poll_s=outbox.poll,
                storage=for_storage(self.settings),
                defaults=for_jobs(self.settings),
                max_payload_bytes=self.settings.api.max_body,
            )
            for outbox in self.settings.outboxes
        ]

    def main_pool(self) -> str:
        """Return the pool that SIGTTIN and SIGTTOU scale: `default`, else the first one."""
        pools = self.settings.pools
        return "default" if "default" in pools else next(iter(pools))

    def workers_of(self, pool: str) -> int | None:
        """Return how many slots a pool or a program should have; None if there is no such name."""
        configured = _sizes(self.settings).get(pool)
        return None if configured is None else self.scaled.get(pool, configured)

    def scale(self, pool: str, workers: int) -> None:
        """Set a number of workers, until the configured one changes or the supervisor restarts."""
        self.scaled[pool] = workers

    def adopt(self, settings: Settings, listener: socket | None, build: str) -> None:
        """Put other settings in force; if a pool's configured number changed, that counts again."""
        before, after = _sizes(self.settings), _sizes(settings)
        self.scaled = {
            pool: workers
            for pool, workers in self.scaled.items()
            if after.get(pool) == before.get(pool)
        }
        self.settings, self.listener, self.build = settings, listener, build


class KeptConfiguration:
    """The effective settings, and the versions of their file; Orpheus can do without either."""

    def __init__(self, state: StateFiles, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._version: int | None = None

    def take(self, settings: Settings) -> None:
        """Keep the settings that come into force, and their text as a version."""
        try:
            if settings.source is not None:
                versions = Versions(self._state.configurations, settings.source)
                self._version = versions.keep_found(settings.sources.text).number
        except OSError as error:
            folder = str(self._state.configurations)
            log.warning("version_not_kept", folder=folder, reason=error.strerror)
        note = self._state.running_settings
        try:
            write_note(note, effective_note(settings, self._clock.wall_ms(), self._version))
        except OSError as error:
            log.warning("settings_not_kept", file=str(note), reason=error.strerror)


def _sizes(settings: Settings) -> dict[str, int]:
    """Return the configured number of slots of each pool and program."""
    sizes = {name: pool.workers for name, pool in settings.pools.items()}
    return sizes | {program.name: program.instances for program in settings.programs}
