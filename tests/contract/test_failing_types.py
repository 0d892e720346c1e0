"""Types whose jobs only fail are told for an hour."""

from orpheus.shared.storage import Store, TypeRow
from tests.contract.conftest import Fail, FakeClock
from tests.explained import verdict

MINUTE_MS = 60_000


def test_a_type_that_only_fails_is_told_for_an_hour(
    store: Store, fail: Fail, clock: FakeClock
) -> None:
    def texts() -> list[str]:
        concerns = verdict(store).concerns
        return [concern.text for concern in concerns if concern.code == "type_failing"]

    clock.advance(-clock.wall % MINUTE_MS)  # the figures are kept by the minute
    store.types.replace([TypeRow("charge", "{}", None, None, None, "")])
    for _ in range(3):
        fail(type="charge")
    told = ["charge: all 3 jobs failed in the last hour."]
    assert texts() == told
    clock.advance(59 * MINUTE_MS)
    assert texts() == told
    clock.advance(2 * MINUTE_MS)
    assert texts() == []
