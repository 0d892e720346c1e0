"""Every peer can be imported, or says why not. None is needed for the test run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.catalog import BY_NAME, ENTRIES, FUNCTIONS, PEERS, Entry
from benchmarks.systems import missing

ROOT = Path(__file__).parents[3]
NAMES = ("prepare", "enqueue_one", "enqueue_many", "left", "WORKERS")
SERVERS = {"": "", "redis": "redis://127.0.0.1:1/0", "postgresql": "postgresql://127.0.0.1:1/none"}


@pytest.mark.parametrize("entry", [*ENTRIES, *FUNCTIONS], ids=lambda entry: entry.title)
def test_a_system_can_be_imported_or_says_why_not(entry: Entry, tmp_path: Path) -> None:
    if lacks := missing(entry):
        assert "not installed" in lacks
        return
    program = f"import benchmarks.subjects.{entry.module} as it; [getattr(it, n) for n in {NAMES}]"
    environment = {
        **os.environ,
        "BENCHMARK_FOLDER": str(tmp_path),
        "BENCHMARK_SETTINGS": entry.variant,
        "BENCHMARK_SERVER": SERVERS[entry.server],
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_module_of_a_system_is_in_the_catalog() -> None:
    folder = ROOT / "benchmarks" / "subjects"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "client"}
    assert {entry.module for entry in (*ENTRIES, *FUNCTIONS)} == modules


def test_orpheus_is_no_peer() -> None:
    assert set(BY_NAME) - set(PEERS) == {"orpheus", "one-at-a-time"}
