"""A command that is proposed means the same Orpheus as the one that proposes it."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.operations.supervisor_requests import ask_for_workers
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.cli.given import as_called, text_as_called
from tests.unit.supervisor.cli.conftest import URL
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
GIVEN = ("--config", "my shop.toml", "--set", f"database.url={URL}")
CALLED = f"orpheus --config 'my shop.toml' --set database.url={URL}"


@pytest.fixture(autouse=True)
def file(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "my shop.toml").write_text("")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", [("restart", "default-1"), ("workers", "default-1")])
def test_an_error_proposes_a_start_of_the_same_orpheus(
    orpheus: Orpheus, command: tuple[str, ...]
) -> None:
    said = f"orpheus: no supervisor is running: start one with `{CALLED}`\n"
    assert orpheus(*GIVEN, *command).err == said
    assert orpheus(command[0], *GIVEN, command[1]).err == said


def test_an_error_proposes_to_scale_the_same_orpheus(orpheus: Orpheus, store: Store) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot(name, SlotState.READY) for name in ("supervisor", "default-1")])
    ask_for_workers(store, Actor("cli:eve", None), "default", 0, (), (), None)
    store.processes.remove_slots("host-1", ["default-1"])
    assert f"(`{CALLED} scale default N` starts it)" in orpheus("restart", "default-1", *GIVEN).err


def test_why_a_job_waits_is_told_with_a_start_of_the_same_orpheus(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit(NewJob("count"))
    assert f"nothing runs; `{CALLED}` starts it" in orpheus("why", "1", *GIVEN).out
    assert f"nothing runs; `{CALLED}` starts it" in orpheus("queues", *GIVEN).err


def test_a_secret_that_was_given_is_not_repeated() -> None:
    with click.Context(click.Command("orpheus")) as context:
        context.params = {"sets": ("database.url=postgresql://me:s3cret@host/db", "x.y=s3cret")}
        called = as_called("orpheus status")
    assert "s3cret" not in called and "--set 'database.url=" in called


@pytest.mark.parametrize(
    "setting", ["api.port=3", "pools.default.workers=3", "queues.mail.paused=true"]
)
def test_a_key_of_a_table_by_name_is_repeated(setting: str) -> None:
    with click.Context(click.Command("orpheus")) as context:
        context.params = {"sets": (setting,)}
        assert as_called("orpheus status") == f"orpheus --set {shlex.quote(setting)} status"


def test_the_name_of_the_schema_is_no_command() -> None:
    with click.Context(click.Command("orpheus")) as context:
        context.params = {"config": "own.toml"}
        text = "there is no schema `orpheus` in it"
        assert text_as_called(text) == text
