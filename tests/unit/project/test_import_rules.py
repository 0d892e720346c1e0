"""Each import rule in pyproject.toml notices an import that breaks it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
FOLDERS = ("api", "config", "orpheus", "shared", "supervisor", "worker")

PLANTS = {
    "The three programs never import each other": (
        "worker/attempt/__init__.py",
        "import orpheus.api.app",
    ),
    "shared imports no program and no configuration": (
        "shared/errors.py",
        "import orpheus.config.settings",
    ),
    "config imports no program and no storage": (
        "config/problems.py",
        "import orpheus.shared.storage",
    ),
    "No import cycles between siblings, at any depth": (
        "supervisor/policy/state_machine.py",
        "import orpheus.supervisor.policy.fleet",
    ),
    "The rooms of shared, from the top down": (
        "shared/domain/jobs.py",
        "import orpheus.shared.job_types",
    ),
    "The kernel does not explain itself": (
        "worker/process.py",
        "import orpheus.shared.explain.facts",
    ),
    "The rooms of the supervisor, from the top down": (
        "supervisor/linux/signals.py",
        "import orpheus.supervisor.plan",
    ),
    "The rooms of a worker, from the top down": (
        "worker/attempt/executor.py",
        "import orpheus.worker.leasing",
    ),
    "The rooms of the API, from the top down": (
        "api/http/scope.py",
        "import orpheus.api.server.connections",
    ),
    "One attempt of a job is run without storage": (
        "worker/handlers/simple.py",
        "import orpheus.shared.storage",
    ),
    "Only the start of a program reads settings; everything else gets values": (
        "worker/process.py",
        "import orpheus.config.settings",
    ),
    "Only shared.storage names its backends": (
        "worker/process.py",
        "import orpheus.shared.storage.sqlite.connection",
    ),
    "The verbs of the store know no backend": (
        "shared/storage/verbs/leases.py",
        "import orpheus.shared.storage.sqlite.connection",
    ),
    "The backends do not know each other": (
        "shared/storage/postgres/clock.py",
        "import orpheus.shared.storage.sqlite.connection",
    ),
    "psycopg is an extra: only what speaks to PostgreSQL imports it": (
        "shared/storage/__init__.py",
        "import psycopg",
    ),
    "Django is an extra: only its backend imports it, and nothing imports its backend": (
        "orpheus/outbox.py",
        "import django.db",
    ),
    "mcp is an extra: only the server for assistants imports it": (
        "orpheus/outbox.py",
        "import mcp.types",
    ),
    "OpenTelemetry is an extra: only one module imports it": (
        "worker/attempt/durable.py",
        "import opentelemetry.trace",
    ),
    "Pure rooms use no clock, no random numbers and no I/O": (
        "shared/domain/backoff.py",
        "import random",
    ),
    "All but the API stay small: no web framework": (
        "worker/process.py",
        "import fastapi",
    ),
    "The modules of the clients, from the top down": (
        "orpheus/client/steps.py",
        "import orpheus.client.calls",
    ),
    "The clients use no program": ("orpheus/client/http.py", "import orpheus.worker.process"),
    "What tests of jobs use, from the top down": (
        "orpheus/testing/clock.py",
        "import orpheus.testing.harness",
    ),
    "Tests of jobs use what runs an attempt, and nothing else of a program": (
        "orpheus/testing/attempts.py",
        "import orpheus.worker.control.control_thread",
    ),
    "No program uses the clients, the writer of outboxes or what tests of jobs use": (
        "worker/process.py",
        "import orpheus.outbox",
    ),
    "The stdlib sqlite3 never opens the database": ("shared/logs.py", "import sqlite3"),
}
"""Of each rule, by its name: a module, and an import that it must not have."""


def broken_rules(folder: Path) -> set[str]:
    """Run the import linter in `folder`; returns the names of the rules that do not hold."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)(?: \(.*)?$", run.stdout, re.MULTILINE)
    assert len(verdicts) == len(CONTRACTS), run.stdout + run.stderr
    return {rule for rule, verdict in verdicts if verdict == "BROKEN"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product and of its rules."""
    hidden = shutil.ignore_patterns("__pycache__", "static", "templates")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=hidden)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_rule_has_an_import_that_breaks_it() -> None:
    assert set(PLANTS) == {contract["name"] for contract in CONTRACTS}


def test_the_rules_hold(tree: Path) -> None:
    assert broken_rules(tree) == set()


def plant(tree: Path, rule: str) -> None:
    file, statement = PLANTS[rule]
    with (tree / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{statement}\n")


def test_imports_that_break_every_rule_are_found(tree: Path) -> None:
    for rule in PLANTS:
        plant(tree, rule)
    assert broken_rules(tree) == set(PLANTS)


EXHAUSTIVE = {one["name"]: one["containers"] for one in CONTRACTS if one.get("exhaustive")}


def test_new_modules_must_be_given_their_places_among_the_rooms(tree: Path) -> None:
    for [container] in EXHAUSTIVE.values():
        (tree / container.replace(".", "/") / "planted.py").touch()
    assert {*EXHAUSTIVE} <= broken_rules(tree)
