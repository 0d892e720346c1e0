"""`manage.py orpheus …`: the command `orpheus …` with the settings and the tasks of the site."""

import argparse
import json
import os
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from orpheus.config.sources import config_file
from orpheus.django.apps import check_outboxes
from orpheus.django.backend import OrpheusBackend
from orpheus.django.compat import task_backends

_TASKS = "orpheus.django.jobs"
_MODULES = "ORPHEUS_JOBS__MODULES"


class Command(BaseCommand):
    """Becomes `orpheus`, whose supervisor imports neither Django nor the site."""

    help = "Run Orpheus with the tasks of this site: `orpheus` and its commands."

    def run_from_argv(self, argv: list[str]) -> None:
        """Pass all arguments on but those of Django, which have been read already."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        for option in ("--settings", "--pythonpath"):
            parser.add_argument(option)
        arguments = parser.parse_known_args(argv[2:])[1]
        _prepare(arguments)
        for warning in check_outboxes():
            sys.stderr.write(f"orpheus: warning: {warning.msg}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", "orpheus", *arguments]
        os.execv(sys.executable, command)  # noqa: S606 - without a shell


def _prepare(arguments: list[str]) -> None:
    """Set what `orpheus` and its workers inherit: configuration, job modules, import path."""
    folder = str(Path(sys.argv[0]).absolute().parent)  # of manage.py
    paths = [folder, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    for backend in task_backends.all():
        if isinstance(backend, OrpheusBackend) and "CONFIG" in backend.options:
            os.environ.setdefault("ORPHEUS_CONFIG", str(backend.options["CONFIG"]))
    modules = _modules(arguments)
    if _TASKS not in modules:
        os.environ.setdefault(_MODULES, json.dumps([*modules, _TASKS]))


def _modules(arguments: list[str]) -> list[str]:
    """Return `[jobs] modules` of the file. What is wrong with it `orpheus` itself reports."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    named = parser.parse_known_args(arguments)[0].config
    modules: Any = []
    with suppress(OSError, ValueError):
        text = config_file(named, os.environ).read_text(encoding="utf-8")
        modules = tomllib.loads(text).get("jobs", {}).get("modules", [])
    return modules if isinstance(modules, list) else []
