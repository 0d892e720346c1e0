"""What a host tells of the database's clock, however long it took to ask it."""

import pytest

from orpheus.shared.storage.postgres import clock as clock_module
from orpheus.shared.storage.postgres.clock import DatabaseClock

MS = 1_000_000


class Host:
    """This host's clock, and a database whose clock says 5 s less."""

    def __init__(self) -> None:
        self.now_ns = 10_000 * MS
        self.asked = 0
        self.clock = DatabaseClock(self.read)

    def read(self) -> None:
        """200 ms to the database, 100 ms back."""
        asked_ns = self.now_ns
        self.asked += 1
        self.now_ns += 200 * MS
        said = self.database_ms()
        self.now_ns += 100 * MS
        self.clock.set(said, asked_ns)

    def database_ms(self) -> int:
        return self.now_ns // MS - 5_000


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(clock_module, "host_ns", lambda: made.now_ns)
    return made


def test_it_is_never_ahead_of_the_database_and_behind_by_less_than_the_answer_took(
    host: Host,
) -> None:
    clock = host.clock
    for _ in range(3):
        told_ms = clock.wall_ms()
        assert host.database_ms() - clock.answer_ms <= told_ms <= host.database_ms()
        assert clock.answer_ms == 300
        host.now_ns += 400 * MS


def test_it_asks_again_after_a_second(host: Host) -> None:
    clock = host.clock
    clock.wall_ms()
    host.now_ns += 999 * MS
    clock.wall_ms()
    assert host.asked == 1
    host.now_ns += 1 * MS
    clock.wall_ms()
    assert host.asked == 2


def test_it_asks_again_in_each_transaction(host: Host) -> None:
    host.clock.wall_ms()
    host.clock.forget()
    host.clock.wall_ms()
    assert host.asked == 2
