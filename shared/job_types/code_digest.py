"""A digest of the code of the job types: whoever fixes a job that kills its worker changes it.

It covers the files of an application as far as they are imported with its job modules, and which
versions of packages are installed, as the fix may be a newer one. It does not cover what job code
imports only while it runs. It is made of contents, not of times, so it is the same on every host
that has the same code.
"""

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

_OURS = "orpheus"


def code_digest(modules: Sequence[str]) -> str:
    """Return the digest; `modules`: the job modules, which are imported."""
    digest = hashlib.sha256()
    for name, file in sorted(_files(modules, sys.modules)):
        try:
            contents = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:
            contents = "unreadable"
        digest.update(f"{name} {contents}\n".encode())
    for name in sorted(_installed(sys.path)):
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


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


def _folders_of_packages() -> tuple[str, ...]:
    """Return the folders of the standard library and of what is installed."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(f"{one}{os.sep}" for one in {*found, *map(os.path.realpath, found)})


def _installed(path: Iterable[str]) -> Iterator[str]:
    """Yield the names of the metadata folders of packages: `pillow-11.0.0.dist-info`."""
    for folder in dict.fromkeys(path):
        try:
            yield from (one.name for one in Path(folder).iterdir() if one.suffix == ".dist-info")
        except OSError:
            continue
