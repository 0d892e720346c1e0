"""A client that comes back after a backup was restored gets a reset, not the wrong events."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def first_id(system: Any) -> tuple[str, int]:
    """The epoch and the seq that a new client of the stream gets."""
    with system.client.stream("GET", "/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                epoch, _, seq = line.removeprefix("id: ").partition(":")
                return epoch, int(seq)
    raise EOFError


def first_event(system: Any, last_event_id: str) -> str:
    """The first event that a client gets which comes back."""
    with system.client.stream("GET", "/events", headers={"Last-Event-ID": last_event_id}) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                return str(line.removeprefix("event: "))
    raise EOFError


def test_a_restored_backup_resets_the_clients_of_the_stream(
    start_system: Callable[..., Any], tmp_path: Path
) -> None:
    database = tmp_path / "data" / "orpheus.db"
    backup, copy = tmp_path / "backup.db", tmp_path / "copy.db"

    def start() -> Any:
        system = start_system(f"database.url=sqlite:///{database}", "pools.default.workers=1")
        system.wait_until_ready()
        return system

    def run_jobs(system: Any, count: int) -> None:
        for _ in range(count):
            system.wait_for_job(system.submit("sum_range", {"n": 3}))

    system = start()
    run_jobs(system, 1)
    epoch, _ = first_id(system)
    command = [sys.executable, "-m", "orpheus", "db", "backup", str(backup)]
    url = f"database.url=sqlite:///{database}"
    subprocess.run([*command, "--set", url], cwd=ROOT, check=True, capture_output=True)
    assert system.stop() == 0
    shutil.copy(database, copy)
    system = start()
    run_jobs(system, 5)
    again, seen = first_id(system)
    assert again == epoch, "a restart keeps the epoch"
    assert first_event(system, f"{epoch}:{seen - 1}") != "reset"
    assert system.stop() == 0
    for restored in (backup, copy):
        shutil.copy(restored, database)
        system = start()
        while first_id(system)[1] < seen:  # the numbers are given again
            run_jobs(system, 1)
        assert first_event(system, f"{epoch}:{seen}") == "reset", restored
        assert first_id(system)[0] != epoch, restored
        assert system.stop() == 0
