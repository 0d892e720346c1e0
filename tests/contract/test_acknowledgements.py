"""Problems that an operator knows of: one acknowledgement for each, until its time is over."""

from orpheus.shared.storage import Acknowledgement, Store
from tests.contract.conftest import FakeClock


def test_an_acknowledgement_stands_until_its_time_is_over_or_it_is_withdrawn(
    store: Store, clock: FakeClock
) -> None:
    now_ms = store.clock.wall_ms()
    pay = Acknowledgement("type_failing", "pay", now_ms + 60_000, "cli:ada", "known", 1, 7)
    slot = Acknowledgement("slot", "default-1", now_ms + 120_000, "cli:ada", "known", 0, 1)
    for row in (pay, slot):
        store.acknowledgements.put(row)
    again = pay._replace(by="cli:bob", until_ms=now_ms + 90_000, size=9)
    store.acknowledgements.put(again)
    standing = {(row.code, row.subject): row for row in (again, slot)}
    assert store.acknowledgements.standing() == standing
    assert store.acknowledgements.withdraw("slot", "default-1")
    assert not store.acknowledgements.withdraw("slot", "default-1")
    clock.advance(90_001)
    assert store.acknowledgements.standing() == {}
