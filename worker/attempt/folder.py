"""The current directory in which every attempt starts, even if a job before has changed it."""

import fcntl
import os

from orpheus.shared.logs import get_logger

_HIGH_NUMBER = 500
"""A descriptor with such a number is not the next to be given out when a job closes it."""

log = get_logger()


class Folder:
    """The current directory of the moment at which this is made."""

    def __init__(self) -> None:
        fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - os.chdir takes text
        self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH_NUMBER)
        os.close(fd)

    def enter(self) -> None:
        """Make it the current directory. The descriptor takes a third of the time of the path."""
        try:
            os.fchdir(self._fd)
        except OSError:  # a job has closed it
            try:
                os.chdir(self._path)
            except OSError as error:
                log.warning("directory_not_entered", path=self._path, reason=error.strerror)
