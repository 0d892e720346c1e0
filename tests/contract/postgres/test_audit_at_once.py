"""What the audit log tells of two operators who act at once."""

from collections.abc import Callable

import psycopg
import pytest

from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import Actor
from tests.audit_log import entries_of
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")


@pytest.mark.parametrize(
    ("pause", "at_first"),
    [(operator_actions.pause_queue, "open"), (operator_actions.pause_schedule, "running")],
)
def test_whoever_acts_second_tells_what_the_first_one_left(
    another: Opener, admin: psycopg.Connection, pause: Callable[..., None], at_first: str
) -> None:
    first, second = another(), another()
    first.schedules.configure([ScheduleDefinition("nightly", "noop", every_s=60)])
    eve = Actor("cli:eve", "it is down")
    with first.write(durable=True):
        pause(first, Actor("cli:ada"), "nightly", paused=True)
        waits = begin_and_wait(admin, lambda: pause(second, eve, "nightly", paused=True))
    waits.join()
    assert [(row.by, row.before, row.after) for row in entries_of(first, 9)] == [
        ("cli:eve", "paused by cli:ada", "paused"),
        ("cli:ada", at_first, "paused"),
    ]
