"""What another host commits rings the bells of this one, also after the connection was lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.process.doorbells import Bell, Doorbells
from orpheus.shared.storage import Store, listen, open_storage
from orpheus.shared.storage.postgres import listening, messages
from tests.captured_logs import capture_logs
from tests.many_hosts.tcp_proxy import TcpProxy

POOLS = {"default": ("*",), "mail": ("mail",), "films": ("films",)}


def settings(url: str, folder: Path) -> StorageSettings:
    """Those of a host whose files are in `folder`."""
    return StorageSettings(url, durable=False, pools=POOLS, state_dir=str(folder))


@pytest.fixture
def other(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """The store of a program on another host."""
    store = open_storage(settings(postgresql_url, tmp_path / "ada"), create=True)
    yield store
    store.close()


@contextmanager
def listening_host(url: str, folder: Path, wait_for: Callable[..., Any]) -> Iterator[Any]:
    """The bells of a host, which has begun to listen."""
    own = settings(url, folder)
    store = open_storage(own, create=True)
    found: dict[str, Bell] = {name: store.bells.listen_pool(name) for name in POOLS}
    found |= {"api": store.bells.listen_api(), "supervisor": store.bells.listen_supervisor()}
    listens = listen(own)
    rings(found, set(found), wait_for)
    yield found
    listens.stop()
    for bell in found.values():
        bell.close()
    store.close()


@pytest.fixture
def bells(postgresql_url: str, tmp_path: Path, wait_for: Callable[..., Any]) -> Iterator[Any]:
    """Those of this host."""
    with listening_host(postgresql_url, tmp_path / "bob", wait_for) as found:
        yield found


def rings(bells: dict[str, Bell], names: set[str], wait_for: Callable[..., Any]) -> None:
    """Wait until each of them has rung."""
    left = set(names)

    def all_have_rung() -> bool:
        left.difference_update([name for name in left if bells[name].drain()])
        return not left

    wait_for(all_have_rung, f"the bells {names} to ring")


def test_a_commit_rings_the_bells_of_those_it_is_for(
    other: Store, bells: dict[str, Bell], wait_for: Callable[..., Any]
) -> None:
    other.jobs.submit(NewJob("t", queue="mail"))
    rings(bells, {"default", "mail", "api"}, wait_for)
    assert not bells["supervisor"].drain()
    assert not bells["films"].drain()
    other.supervision.put_request(RequestAction.RESTART, "bob", "default-1")
    rings(bells, {"supervisor"}, wait_for)


def test_what_was_not_announced_is_found_soon_after_what_was(
    other: Store, bells: dict[str, Bell], wait_for: Callable[..., Any]
) -> None:
    """The second of these commits comes too soon for a NOTIFY of its own."""
    other.jobs.submit(NewJob("t", queue="mail"))
    other.jobs.submit(NewJob("t", queue="mail"))
    rings(bells, {"mail"}, wait_for)
    rings(bells, {"mail"}, wait_for)


def test_after_a_lost_connection_everything_rings(
    bells: dict[str, Bell], postgresql_url: str, wait_for: Callable[..., Any]
) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert ended.fetchall() == [(True,)]
    rings(bells, set(bells), wait_for)


def test_a_connection_that_is_held_but_silent_is_given_up(
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_for: Callable[..., Any],
) -> None:
    """So is one behind a proxy that leads to another server now, but holds what led to the old."""
    monkeypatch.setattr(listening, "_QUIET_S", 0.05)
    monkeypatch.setattr(messages, "ANSWERS_WITHIN_S", 0.3)
    port = int(psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"] or 0)
    with TcpProxy(port) as proxy:
        url = postgresql_url.replace(f":{port}/", f":{proxy.port}/") + "?connect_timeout=2"
        with (
            listening_host(url, tmp_path / "bob", wait_for) as bells,
            capture_logs() as logged,
        ):
            proxy.cut()
            wait_for(lambda: [one for one in logged if one["event"] == "not_listening"], "that")
            proxy.heal()
            rings(bells, set(bells), wait_for)


def test_one_that_was_stopped_while_it_connected_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(**_: Any) -> None:
        thread.stop()
        raise psycopg.OperationalError("the server is gone too")

    monkeypatch.setattr(psycopg, "connect", connect)
    thread = listening.ListeningThread("postgresql://nowhere/", "bob", Doorbells(tmp_path, {}))
    with capture_logs() as logged:
        thread.start()
        thread.join()
    assert logged == []
