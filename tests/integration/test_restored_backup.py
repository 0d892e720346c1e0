"""A client that comes back after a backup was restored gets a reset, not the wrong events."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store
from tests.variants import variants


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


@pytest.mark.parametrize("kind", variants(["a copy", "a backup"], "a copy"))
def test_a_restored_backup_resets_the_clients_of_the_stream(
    start_system: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    """A backup has another history at once, a copy of the file with the next start."""
    database, saved = tmp_path / "data" / "orpheus.db", tmp_path / "saved.db"
    url = f"sqlite:///{database}"
    with contextlib.closing(open_store(url, create=True, durable=False)) as store:
        store.jobs.submit(NewJob("sum_range", '{"n": 3}'))
        epoch = store.events.epoch()
        if kind == "a backup":
            store.maintenance.backup(saved)
    if kind == "a copy":
        shutil.copy(database, saved)

    def start() -> Any:
        system = start_system(f"database.url={url}", "pools.default.workers=1")
        system.wait_until_ready()
        return system

    def run_jobs(system: Any, count: int) -> None:
        for _ in range(count):
            system.wait_for_job(system.submit("sum_range", {"n": 3}))

    system = start()
    run_jobs(system, 5)
    again, seen = first_id(system)
    assert again == epoch, "a start keeps the epoch"
    assert first_event(system, f"{epoch}:{seen - 1}") != "reset"
    assert system.stop() == 0
    shutil.copy(saved, database)
    system = start()
    while first_id(system)[1] < seen:  # the numbers are given again
        run_jobs(system, 1)
    assert first_event(system, f"{epoch}:{seen}") == "reset"
    assert first_id(system)[0] != epoch
    assert system.stop() == 0
