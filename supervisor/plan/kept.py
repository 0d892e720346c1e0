"""Keep the settings in force beside the lock: for commands whose file is wrong, and rollbacks."""

from pathlib import Path

from orpheus.config.changes import changed_keys
from orpheus.config.editing.versions import Versions
from orpheus.config.running_settings import keep_running_settings
from orpheus.config.settings import Settings
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.configuration import BY_HAND
from orpheus.shared.operations.replace_configuration import EditOnMachine
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.state_files import StateFiles

log = get_logger()


class KeptConfiguration:
    """The settings in force, and the versions of their file; Orpheus can do without either."""

    def __init__(self, state: StateFiles, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._settings: Settings | None = None
        self._version: int | None = None
        self._since_ms = 0

    def take(self, settings: Settings) -> EditOnMachine | None:
        """Keep the settings that come into force, and their text as a version.

        Return the edit if an editor on the machine has saved it; None if the version was known
        before, or is the first one. If the same are taken again, they stay in force since then.
        """
        version = edit = None
        try:
            if settings.source is not None:
                versions = self._versions_of(settings.source)
                before, found = versions.newest(), versions.keep_found(settings.source_text)
                version = found.number
                if before is not None and found.by == BY_HAND and before.number < version:
                    edit = EditOnMachine(before.number, version)
        except OSError as error:
            self._warn_of_version(error)
        if version != self._version or self._differs(settings):
            self._since_ms = self._clock.wall_ms()
        self._settings, self._version = settings, version
        note = self._state.running_settings
        try:
            keep_running_settings(note, settings, self._since_ms, version)
        except OSError as error:
            log.warning("settings_not_kept", file=str(note), reason=error.strerror)
        return edit

    def note_rejected(self, text: str, reason: str) -> None:
        """Note why a text was not taken, if the file still holds it."""
        try:
            if self._settings is not None and self._settings.source is not None:
                versions = self._versions_of(self._settings.source)
                versions.note_rejected(self._version, text, reason)
        except OSError as error:
            self._warn_of_version(error)

    def _versions_of(self, file: Path) -> Versions:
        # Made anew each time: the link to the folder may lead elsewhere by now.
        return Versions(self._state.configurations, file)

    def _differs(self, settings: Settings) -> bool:
        return self._settings is None or bool(changed_keys(self._settings, settings))

    def _warn_of_version(self, error: OSError) -> None:
        folder = str(self._state.configurations)
        log.warning("version_not_kept", folder=folder, reason=error.strerror)
