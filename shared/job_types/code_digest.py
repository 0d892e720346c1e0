"""A digest of the code of the job types. It changes when somebody mends a job that kills workers.

It covers the packages of the job modules, whether or not a module there is imported yet (a job may
import it only while it runs), and the files of an application as far as they are imported with its
job modules. It does not cover installed packages: hosts of one database may have different ones,
and each host would take the code of the other for new. It is made of contents, not of times, so it
is the same on every host that has the same application.
"""

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from orpheus.shared.domain.commands import CommandSettings, describe_command
from orpheus.shared.job_types.registry import JobType

_OURS = "orpheus"


def code_digest(modules: Sequence[str]) -> str:
    """Return the digest; `modules`: the job modules, which are imported."""
    digest = hashlib.sha256()
    for name, file in sorted({*_files(modules, sys.modules), *_packages(modules, sys.modules)}):
        try:
            contents = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:
            contents = "unreadable"
        digest.update(f"{name} {contents}\n".encode())
    return digest.hexdigest()


def described(
    modules: Sequence[str], types: Iterable[JobType], commands: Iterable[CommandSettings]
) -> list[dict[str, Any]]:
    """Return what the supervisor and the database keep of each job type, and of each command."""
    code = code_digest(modules)
    return [
        *({**job_type.describe(), "code": code} for job_type in types),
        *(describe_command(command) for command in commands),
    ]


def _files(named: Sequence[str], loaded: Mapping[str, ModuleType]) -> Iterator[tuple[str, Path]]:
    """Yield the loaded modules of the application, and the packages of the job modules."""
    packages = {name.partition(".")[0] for name in named} - {_OURS}
    elsewhere = _folders_of_packages()
    for name, module in list(loaded.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        package = name.partition(".")[0]
        is_own = package not in (_OURS, "__main__") and not file.startswith(elsewhere)
        if is_own or package in packages or name in named:
            yield name, Path(file)


def _packages(named: Sequence[str], loaded: Mapping[str, ModuleType]) -> Iterator[tuple[str, Path]]:
    """Yield every Python file in the packages of the job modules."""
    for package in {name.partition(".")[0] for name in named} - {_OURS}:
        for folder in getattr(loaded.get(package), "__path__", ()):
            for file in Path(folder).rglob("*.py"):
                yield f"{package}/{file.relative_to(folder)}", file


def _folders_of_packages() -> tuple[str, ...]:
    """Return the folders of the standard library and of what is installed."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(f"{folder}{os.sep}" for folder in {*found, *map(os.path.realpath, found)})
