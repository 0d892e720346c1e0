"""Says why a job module does not import: the error first, then where it was raised or looked for.

The reader has just saved a file of their own, and wants the line in it. So no frame of Orpheus or
of the import machinery is shown, nor are the folders of Python's own modules.
"""

import contextlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from orpheus.shared.errors import ConfigurationError
from orpheus.worker.attempt.outcomes import user_traceback

_INSTALLED = ("site-packages", "dist-packages")


def import_failure(setting: str, error: BaseException) -> str:
    """Return in some lines why the module that `setting` names (`jobs.modules: reports`) fails."""
    if isinstance(error, ConfigurationError):
        key = setting.partition(" ")[0]
        return str(error) if str(error).startswith(key) else f"{setting}: {error}"
    lines = [f"{setting} does not import: {_headline(error)}", *_frames(error)]
    if _is_folder_deleted():
        lines.append(
            "the current folder was deleted: restart Orpheus in the one that took its place"
        )
    elif isinstance(error, ModuleNotFoundError) and error.name:
        lines += [f"looked in: {', '.join(_looked_in())}", *_advice(error.name)]
    return "\n".join(lines)


def _is_folder_deleted() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _headline(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as unprintable:  # noqa: BLE001 - its __str__ may raise anything
        text = f"(its text cannot be shown: {type(unprintable).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _frames(error: BaseException) -> list[str]:
    """Return the traceback without its last lines, which say the error again."""
    shown = user_traceback(error).splitlines()
    with contextlib.suppress(Exception):
        again = "".join(traceback.format_exception_only(error)).splitlines()
        own = 1 if isinstance(error, SyntaxError) else len(again)  # its first lines show the line
        return shown[: len(shown) - own]
    return []


def _looked_in() -> Iterator[str]:
    """Yield each folder of sys.path that may hold the user's modules, and why it is there."""
    own = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    listed = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = {os.path.realpath(path) for path in listed if path}
    here = os.path.realpath(".")
    for path in dict.fromkeys(os.path.realpath(entry) for entry in sys.path):
        if path == here:
            yield f"{path} (the current folder)"
        elif path in paths:
            yield f"{path} (PYTHONPATH)"
        elif path.endswith(_INSTALLED):
            yield f"{path} (installed packages)"
        elif not any(path.startswith(one) for one in own) and Path(path).is_dir():
            yield path


def _advice(name: str) -> Iterator[str]:
    """Yield where a module of this name is instead, if it is in a folder of the current one."""
    root = name.partition(".")[0]
    with contextlib.suppress(OSError):
        for folder in sorted(Path().iterdir()):
            candidates = (folder / f"{root}.py", folder / root / "__init__.py")
            for file in filter(Path.is_file, candidates):
                yield f"{file} is there: start it with PYTHONPATH={folder.absolute()}"
