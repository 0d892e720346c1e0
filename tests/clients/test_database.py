"""What only a client on the database has: its configuration, its file, its bells."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus import AsyncClient, Client
from orpheus.client import (
    ConfigurationError,
    DatabaseBusy,
    DatabaseUnusable,
    JobRequest,
    TooLarge,
    Unavailable,
)
from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.sqlite import apsw_errors
from tests.api.conftest import ADD
from tests.clients.conftest import KINDS, Maker, write_config
from tests.databases import make_database

POOLS = {"default": ("*",), "mail": ("mail",)}


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    make_database(url)
    store = open_store(url, pools=POOLS)
    store.types.replace([ADD])
    yield store
    store.close()


def test_a_commit_wakes_the_pools_that_serve_the_queue(
    store: Store, config: Path, url: str
) -> None:
    write_config(config, url, '[pools.default]\n[pools.mail]\nqueues = ["mail"]\n')
    bells = {name: store.bells.listen_pool(name) for name in POOLS}
    with Client(config=config) as client:
        client.submit("add")
        assert {name: bell.drain() for name, bell in bells.items()} == {
            "default": True,
            "mail": False,
        }
        client.submit_many([JobRequest("add", {}, queue="mail")])
        assert {name: bell.drain() for name, bell in bells.items()} == {
            "default": True,
            "mail": True,
        }
    for bell in bells.values():
        bell.close()


def test_a_job_gets_the_defaults_of_the_configuration(store: Store, config: Path, url: str) -> None:
    write_config(config, url, '[jobs]\nmax_retries = 1\ntimeout = "7s"\n[api]\nmax_body = 1024\n')
    with Client(config=config) as client:
        job = client.submit("add")
        assert (job.max_retries, job.timeout) == (1, 7.0)
        with pytest.raises(TooLarge, match="1024"):
            client.submit("add", {"text": "x" * 1024})


def test_the_configuration_is_found_as_by_every_command(
    store: Store, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    (there / "config").mkdir(parents=True)
    monkeypatch.chdir(there)
    write_config(there / "config" / "orpheus.toml", url)
    with Client() as client:
        assert client.submit("add").id == 1
    other = write_config(there / "other.toml", "sqlite:///nowhere.db")
    monkeypatch.setenv("ORPHEUS_CONFIG", str(other))
    with Client() as client, pytest.raises(DatabaseUnusable, match=r"there/nowhere\.db"):
        client.submit("add")
    monkeypatch.setenv("ORPHEUS_DATABASE__URL", url)
    with Client() as client:
        assert client.submit("add").id == 2


def test_a_problem_elsewhere_is_a_warning_if_a_variable_names_the_database(
    store: Store,
    config: Path,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_config(config, url, "[api]\nport = -1\n")
    with pytest.raises(ConfigurationError, match=r"api\.port"):
        Client(config=config)
    monkeypatch.setenv("ORPHEUS_DATABASE__URL", url)
    with caplog.at_level(logging.WARNING), Client(config=config) as client:
        assert client.submit("add").id == 1
    assert "api.port" in caplog.text


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("text", ["[database]\nurll = 'x'\n", "[databse]\nurl = 'x'\n", None])
def test_a_configuration_that_does_not_name_a_database_is_refused(
    tmp_path: Path, text: str | None, kind: Any
) -> None:
    path = tmp_path / "orpheus.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError):
        kind(config=path)


def test_a_database_that_does_not_exist_is_not_made_and_found_when_it_is_there(
    tmp_path: Path, config: Path, url: str
) -> None:
    with Client(config=config) as client:
        with pytest.raises(DatabaseUnusable, match="there is no database"):
            client.submit("add")
        assert not (tmp_path / "data").exists()
        store = open_store(url, create=True)
        store.types.replace([ADD])
        assert client.submit("add").id == 1
        store.close()


def test_a_database_of_another_schema_is_left_as_it_is(
    store: Store, tmp_path: Path, config: Path
) -> None:
    for version, text in ((999, "newer than this Orpheus"), (1, "from before the first release")):
        connection = apsw.Connection(f"{tmp_path}/data/orpheus.db")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        with Client(config=config) as client, pytest.raises(DatabaseUnusable, match=text) as told:
            client.submit("add")
        assert isinstance(told.value, Unavailable)


def test_a_database_that_was_put_back_is_opened_anew(
    store: Store, tmp_path: Path, config: Path
) -> None:
    with Client(config=config) as client:
        client.submit("add")
        store.close()
        file = tmp_path / "data" / "orpheus.db"
        file.rename(tmp_path / "moved")
        with pytest.raises(DatabaseUnusable):
            client.submit("add")
        (tmp_path / "moved").rename(file)
        assert client.submit("add").id == 2


@pytest.mark.parametrize("make", KINDS, indirect=True)
def test_a_database_that_stays_locked_is_unavailable(
    make: Maker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw_errors, "BUSY_BOUND_S", 0.05)
    monkeypatch.setattr("orpheus.shared.storage.sqlite.turns.BUSY_BOUND_S", 0.05)
    client = make(retry_for=0)
    first = client.submit("add")
    other = open_store(url)
    with other.write(durable=False):
        with pytest.raises(Unavailable, match="another process has held the database") as told:
            client.submit("add")
        assert isinstance(told.value, DatabaseBusy) is not make.is_http
        assert client.get(first) == first, "reading goes on"
    other.close()
    assert client.submit("add").id == first.id + 1


def test_what_an_interrupt_left_of_an_earlier_call_is_no_part_of_the_next(
    store: Store, config: Path
) -> None:
    """A signal handler may raise where a transaction ends, which then stays open for a while."""
    with Client(config=config) as client:
        client.submit("add")
        left = client._way._store.write(durable=False)
        left.__enter__()
        assert client.submit("add").id == 2
        left.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert store.stats.counts()[Status.PENDING] == 2


def test_a_client_is_not_closed_inside_of_its_call(
    store: Store, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(config=config) as client:
        client.submit("add")
        refused: list[str] = []

        def close(_: str) -> None:
            with pytest.raises(RuntimeError, match="in use by the call that was interrupted"):
                client.close()
            refused.append("close")

        failpoint = "orpheus.shared.storage.sqlite.connection.program_failpoint"
        monkeypatch.setattr(failpoint, close)
        assert client.submit("add").id == 2
        assert client.submit("add").id == 3
        assert refused
