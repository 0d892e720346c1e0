"""The texts that a file has held before, and which of them a running supervisor works by."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orpheus.config.editing.versions import Versions
from orpheus.config.load import checked
from orpheus.config.naming_code import NAMING_CODE, changed_code
from orpheus.config.problems import Problem, dotted
from orpheus.config.running_settings import RunningSettings, running_settings_at
from orpheus.config.settings import Settings
from orpheus.config.sources import sources_with
from orpheus.shared.operations.configuration import ConfigurationVersion
from orpheus.shared.process.state_files import StateFiles


class Earlier:
    """What was in the file at `path`; nothing without a file."""

    def __init__(self, path: Path | None, state: StateFiles) -> None:
        self._path = path
        self._state = state
        self.versions = Versions(state.configurations, path)

    def running(self) -> RunningSettings | None:
        """Return what a supervisor works by; None if none runs."""
        note = self._state.running_settings
        return running_settings_at(note, of_owner=note.parent) if note.parent.is_dir() else None

    def in_force(self) -> ConfigurationVersion | None:
        """Return the version that a supervisor works by; None if none runs, or it is lost."""
        running = self.running()
        if running is None or running.version is None:
            return None
        return self.versions.get(running.version)

    def in_place_of(self, text: str) -> str | None:
        """Return the text in force, if `text`, which the file holds, was rejected; else None."""
        in_force = self.in_force() if self._was_rejected(text) else None
        return None if in_force is None else in_force.text

    def texts(self) -> Iterator[str]:
        """Yield the text in force, if there is one, and then all, the newest first."""
        if (in_force := self.in_force()) is not None:
            yield in_force.text
        yield from (version.text for version in self.versions.all())

    def settings_before(
        self, text: str, sets: Sequence[str], environ: Mapping[str, str]
    ) -> Settings | None:
        """Return the settings of the text in the file; or, if it was not taken, of what runs.

        If nothing runs, return those of the newest text that is valid; None: there is none.
        """
        assert self._path is not None
        for candidate in (*(() if self._was_rejected(text) else (text,)), *self.texts()):
            settings, problems = checked(sources_with(candidate, self._path, sets, environ))
            if settings is not None and not problems:
                return settings
        return None

    def rejected_again(self, text: str, new: str) -> Problem | None:
        """Return why a supervisor would not take `new` either, if it has rejected `text`.

        It would not if `text` was rejected for a setting that names code, and `new` has the same.
        The code may have been mended since, which is not checked here: then `new` is taken.
        """
        named, _, why = (self.versions.rejection(text) or "").partition(": ")
        key = next((one for one in NAMING_CODE if dotted(one) == named), None)
        if key is None or changed_code(text, None, new, (), [key]):
            return None
        first_line, *_ = why.split("\n", 1)
        return Problem(key, f"would be rejected again: {first_line}")

    def _was_rejected(self, text: str) -> bool:
        return self.versions.rejection(text) is not None
