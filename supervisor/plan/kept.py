"""Keep the settings in force: in a file for commands, and their text as a version."""

from orpheus.config.editing.versions import Versions
from orpheus.config.effective import effective_note
from orpheus.config.settings import Settings
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.configuration import BY_HAND
from orpheus.shared.operations.replace_configuration import EditOnMachine
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.living_note import write_note
from orpheus.shared.process.state_files import StateFiles

log = get_logger()


class KeptConfiguration:
    """The effective settings, and the versions of their file; Orpheus can do without either."""

    def __init__(self, state: StateFiles, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._version: int | None = None

    def take(self, settings: Settings) -> EditOnMachine | None:
        """Keep the settings that come into force, and their text as a version.

        Return the edit if an editor on the machine has saved it; None if the version was known
        before, or is the first one.
        """
        edit = None
        try:
            if settings.source is not None:
                versions = Versions(self._state.configurations, settings.source)
                before = next(iter(versions.all()), None)
                found = versions.keep_found(settings.sources.text)
                self._version = found.number
                if before is not None and before.number < found.number and found.by == BY_HAND:
                    edit = EditOnMachine(before.number, found.number)
        except OSError as error:
            folder = str(self._state.configurations)
            log.warning("version_not_kept", folder=folder, reason=error.strerror)
        note = self._state.running_settings
        try:
            write_note(note, effective_note(settings, self._clock.wall_ms(), self._version))
        except OSError as error:
            log.warning("settings_not_kept", file=str(note), reason=error.strerror)
        return edit
