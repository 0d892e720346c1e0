"""Watches the Python files of job modules (`jobs.watch`), to reload them when they are saved."""

import logging
import os
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from pathlib import Path
from sys import path as import_path
from threading import Event, Thread

from orpheus.config.settings import Jobs
from orpheus.shared.logs import get_logger

log = get_logger()

_OURS = "orpheus"
_MOST_NAMED = 3
_SETTLE_MS, _LONGEST_SETTLE_MS = 50, 200
"""Files that are saved together are one reload. The second limit is for other files below the
folder, such as a database, that change all the time."""

_ENDS_WITHIN_S = 1.0


class CodeWatch:
    """Calls `saved` with the names of the files, in a thread of its own."""

    def __init__(self, saved: Callable[[str], None]) -> None:
        self._saved = saved
        self._folders: frozenset[Path] = frozenset()
        self._stopped = Event()
        self._thread: Thread | None = None

    def follow(self, jobs: Jobs) -> None:
        """Watch what these settings name, and nothing else."""
        folders = watched_folders(jobs.modules) if jobs.watch else frozenset()
        if folders != self._folders:
            self.stop()
            self._folders, self._stopped = folders, Event()
            if folders:
                self._thread = Thread(
                    target=self._run, args=(folders, self._stopped), name="code-watch", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Watch nothing any more."""
        self._stopped.set()
        if self._thread is not None:  # Rust code that outlives the interpreter may abort it
            self._thread.join(_ENDS_WITHIN_S)

    def _run(self, folders: Iterable[Path], stopped: Event) -> None:
        from watchfiles import PythonFilter, watch  # noqa: PLC0415 - only for development

        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it logs each file
        try:
            for changes in watch(
                *folders,
                watch_filter=PythonFilter(ignore_paths=()),
                stop_event=stopped,
                step=_SETTLE_MS,
                debounce=_LONGEST_SETTLE_MS,
                rust_timeout=1000,
                ignore_permission_denied=True,
            ):
                self._saved(_named(path for _, path in changes))
        except (OSError, RuntimeError) as error:  # the system's limit of watches, say
            why = f"{error}; after a change, run: orpheus reload"
            log.warning("code_not_watched", folders=sorted(map(str, folders)), why=why)


def watched_folders(modules: Iterable[str]) -> frozenset[Path]:
    """Return the current folder, and those of job modules that are elsewhere.

    Nothing is imported: only workers run the code of a user.
    """
    here = Path.cwd()
    folders = {here}
    for top in {name.partition(".")[0] for name in modules} - {_OURS}:
        spec = PathFinder.find_spec(top, [str(here), *import_path])
        if spec is not None:
            file_folder = str(Path(spec.origin or here).parent)
            folders |= {Path(place) for place in spec.submodule_search_locations or [file_folder]}
    return frozenset(folder for folder in folders if folder == here or here not in folder.parents)


def _named(paths: Iterable[str]) -> str:
    """Return the files as a person calls them, seen from the current folder."""
    names = sorted({os.path.relpath(path) for path in paths})
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
