"""A schedule that is changed and fired at once, by two connections."""

import psycopg
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")
MINUTELY = ScheduleDefinition("report", "noop", every_s=60)


def test_a_tick_that_is_fired_while_its_schedule_is_changed_makes_one_job(
    another: Opener, admin: psycopg.Connection, clock
) -> None:
    first, second = another(), another()
    first.schedules.configure([MINUTELY])
    clock.advance(60_000)
    fired: list[int] = []
    with first.write(durable=True):
        assert len(first.schedules.fire_due(lambda _: NewJob("noop"))) == 1
        changed = [replace(MINUTELY, priority=5)]
        waits = begin_and_wait(admin, lambda: second.schedules.configure(changed))
    waits.join()
    row = first.schedules.get("report")
    assert (row.definition.priority, row.tick_ms) == (5, clock.wall - clock.wall % 60_000 + 60_000)
    assert first.schedules.fire_due(lambda _: NewJob("noop")) == []
    clock.advance(60_000)
    with first.write(durable=True):
        first.schedules.configure([MINUTELY])
        fire = lambda: fired.extend(second.schedules.fire_due(lambda _: NewJob("noop")))  # noqa: E731
        waits = begin_and_wait(admin, fire)
    waits.join()
    fired += second.schedules.fire_due(lambda _: NewJob("noop"))
    assert len(fired) == 1
