"""The folder in which Orpheus was started, followed if its path leads to another one by now.

A deployment may switch a symbolic link (`current -> releases/2`), or put a new folder in the place
of the old one. The kernel leaves a process, and all that it starts, in the old folder.

All threads of a process share its folder. So the new one is only held open while it is checked,
and entered once it is accepted: a process that starts meanwhile starts in the old one.
"""

import contextlib
import os
from collections.abc import Iterator

from orpheus.shared.logs import get_logger
from orpheus.shared.records import dataclass

log = get_logger()


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A folder that is held open; without a descriptor, the current one."""

    fd: int | None = None

    @property
    def is_another(self) -> bool:
        """Whether it differs from the current folder of this process."""
        return self.fd is not None

    @property
    def path(self) -> str:
        """The prefix of relative paths, which follows a rename; empty for the current folder."""
        return "" if self.fd is None else f"/proc/self/fd/{self.fd}"

    def enter(self) -> None:
        """Make it the folder of this process."""
        if self.fd is not None:
            os.fchdir(self.fd)
            log.info("folder_followed", folder=os.readlink(self.path))  # noqa: PTH115


class StartFolder:
    """The path to the current folder: `$PWD`, as shells set it, or else its own."""

    def __init__(self) -> None:
        self._path = _path_of_current()

    @contextlib.contextmanager
    def followed(self) -> Iterator[OpenFolder]:
        """Yield the folder to which the path leads now, if it can be entered; else the current."""
        fd = self._opened()
        try:
            yield OpenFolder(fd)
        finally:
            if fd is not None:
                os.close(fd)

    def _opened(self) -> int | None:
        if self._path is None or _is_current(self._path):
            return None
        try:
            return os.open(f"{self._path}/.", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            log.warning("folder_not_followed", path=self._path, reason=error.strerror)
            return None


def _path_of_current() -> str | None:
    path = os.environ.get("PWD", "")
    if path.startswith("/") and _is_current(path):
        return path
    try:
        return os.getcwd()  # noqa: PTH109 - the text, as the variable has it
    except OSError:  # it was deleted
        return None


def _is_current(path: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.stat("."))  # noqa: PTH116
    except OSError:
        return False
