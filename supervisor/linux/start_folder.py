"""The folder in which Orpheus was started, followed where its path leads to another one.

A deployment may switch a symbolic link (`current -> releases/2`), or put a new folder in the place
of the old one. The kernel keeps a process in the old folder, and so all that it starts.
"""

import os

from orpheus.shared.logs import get_logger

log = get_logger()


class StartFolder:
    """The current folder, and the path to it: `$PWD`, as shells set it, or else its own."""

    def __init__(self) -> None:
        self._path = _path_of_current()
        self._fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def follow(self) -> None:
        """Enter the folder to which the path leads now, if that is another one."""
        if self._path is None or _is_current(self._path):
            return
        try:
            os.chdir(self._path)
        except OSError as error:
            log.warning("folder_not_followed", path=self._path, reason=error.strerror)
        else:
            log.info("folder_followed", path=self._path, folder=os.path.realpath(self._path))

    def stay(self) -> None:
        """Let `go_back` lead to the current folder from now on."""
        fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.dup2(fd, self._fd, inheritable=False)
        os.close(fd)

    def go_back(self) -> bool:
        """Enter the folder of before `follow`, also a deleted one; return whether it differs."""
        differs = not os.path.samestat(os.fstat(self._fd), os.stat("."))  # noqa: PTH116
        os.fchdir(self._fd)
        return differs


def _path_of_current() -> str | None:
    path = os.environ.get("PWD", "")
    if path.startswith("/") and _is_current(path):
        return path
    try:
        return os.getcwd()  # noqa: PTH109 - os.chdir takes text
    except OSError:  # it was deleted
        return None


def _is_current(path: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.stat("."))  # noqa: PTH116
    except OSError:
        return False
