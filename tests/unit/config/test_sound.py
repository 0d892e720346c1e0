"""One wrong value is told alone: no other problem merely follows from it."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.checks import missing_programs
from orpheus.config.load import checked
from orpheus.config.problems import KeyPath, Problem
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources

EVERYTHING: dict[str, Any] = {
    "database": {"url": "postgresql://h/d", "listen_url": "postgresql://l/d"},
    "api": {"host": "0.0.0.0", "token_file": "token"},
    "leases": {"ttl": 60, "renew_every": 20},
    "heartbeats": {"interval": 6, "timeout": 30},
    "supervisor": {"stop_timeout": 50, "shutdown_deadline": 100, "start_timeout": 90},
    "pools": {"default": {"queues": ["mail"]}, "alarms": {"queues": ["alerts"], "workers": 2}},
    "queues": {"mail": {"rate": "5/s"}},
    "schedules": [{"name": "s", "type": "report", "cron": "* * * * *", "timezone": "UTC"}],
    "commands": [{"name": "c", "argv": ["mine"], "env": {"PATH": "bin"}, "cwd": "bin"}],
    "programs": [
        {"name": "web", "argv": ["mine"], "env": {"PATH": "bin"}, "after": ["db"]},
        {"name": "db", "argv": ["./mine"], "cwd": "bin", "ready": {"after": 80}},
        {"name": "slow", "argv": ["./bin/mine"], "stop_timeout": 90, "env_file": "env"},
    ],
    "alerts": [
        {"name": "late", "on": ["queue.late"], "within": 60, "webhook": "https://h/x"},
        {"name": "failed", "on": ["job.failed"], "after": 3, "within": 60, "types": ["report"]}
        | {"type": "report", "payload": {"text": "{job}"}},
    ],
    "outboxes": [
        {"name": "a", "url": "sqlite:///shop.db", "table": "mine"},
        {"name": "b", "url": "sqlite:///shop.db"},
        {"name": "c", "url": "sqlite:///data/orpheus.db"},
    ],
}


@pytest.fixture(autouse=True)
def files(own_directory: Path) -> None:
    """Make what `EVERYTHING` names."""
    (own_directory / "bin").mkdir()
    for name, text, mode in (
        ("bin/mine", "", 0o700),
        ("token", "x" * 32, 0o600),
        ("env", "", 0o600),
    ):
        (own_directory / name).write_text(text)
        (own_directory / name).chmod(mode)


def found(values: dict[str, Any]) -> list[Problem]:
    def more(part: Settings, _: Collection[KeyPath]) -> Iterator[Problem]:
        yield from missing_programs(part)

    return checked(Sources(layers=[values]), more=more)[1]


def keys_in(values: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every value, and of every table around it."""
    entries = values.items() if isinstance(values, Mapping) else enumerate(values)
    for name, value in entries:
        yield (*at, name)
        if isinstance(value, dict | list):
            yield from keys_in(value, (*at, name))


def broken(values: Any, key: KeyPath, wrong: object) -> Any:
    """Return a copy with the `wrong` value at that key."""
    name, *rest = key
    copy = values.copy()
    copy[name] = broken(values[name], tuple(rest), wrong) if rest else wrong
    return copy


@pytest.mark.parametrize("table", EVERYTHING)
def test_a_wrong_value_is_told_alone(table: str) -> None:
    assert found(EVERYTHING) == []
    told = {
        key: found(broken(EVERYTHING, key, date(2026, 1, 1)))
        for key in ((table,), *keys_in(EVERYTHING[table], (table,)))
    }
    assert all(told.values())
    others = [
        (key, one)
        for key, problems in told.items()
        for one in problems
        if one.key[: len(key)] != key and key[: len(one.key)] != one.key
    ]
    assert others == []


def test_it_is_not_known_to_whom_a_payload_belongs_while_the_type_is_wrong() -> None:
    alert = EVERYTHING["alerts"][1] | {"type": 5, "webhook": "https://h/x"}
    (problem,) = found({**EVERYTHING, "alerts": [alert]})
    assert problem.key == ("alerts", 0, "type")


def test_nor_which_pools_there_are_while_they_are_wrong() -> None:
    program = {"name": "default", "argv": ["sh"]}
    assert [one.key for one in found({"pools": 5, "programs": [program]})] == [("pools",)]
