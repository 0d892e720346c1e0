"""The current directory in which every attempt starts, even if a job before has changed it."""

import os

from orpheus.shared.logs import get_logger
from orpheus.shared.process.limits import high_copy

log = get_logger()


class Folder:
    """The current directory at the time when this is made."""

    def __init__(self) -> None:
        fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - os.chdir takes text
        self._fd = high_copy(fd)
        os.close(fd)

    def enter(self) -> None:
        """Make it the current directory. By path this would take three times as long."""
        try:
            os.fchdir(self._fd)
        except OSError:  # a job has closed it
            try:
                os.chdir(self._path)
            except OSError as error:
                log.warning("directory_not_entered", path=self._path, reason=error.strerror)
