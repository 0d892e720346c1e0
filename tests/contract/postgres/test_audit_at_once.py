"""What the audit log tells of two operators who act at once."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import Actor
from tests.audit_log import entries_of
from tests.contract.conftest import Opener
from tests.machine import wait_until

pytestmark = pytest.mark.backends("postgresql")

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


@pytest.mark.parametrize(
    ("pause", "at_first"),
    [(operator_actions.pause_queue, "open"), (operator_actions.pause_schedule, "running")],
)
def test_whoever_acts_second_tells_what_the_first_one_left(
    another: Opener, postgresql_url: str, pause: Callable[..., None], at_first: str
) -> None:
    first, second = another(), another()
    first.schedules.configure([ScheduleDefinition("nightly", "noop", every_s=60)])
    eve = Actor("cli:eve", "it is down")
    waits = threading.Thread(target=pause, args=(second, eve, "nightly"), kwargs={"paused": True})
    with psycopg.connect(postgresql_url, autocommit=True) as admin, first.write(durable=True):
        pause(first, Actor("cli:ada"), "nightly", paused=True)
        waits.start()
        wait_until(lambda: admin.execute(_WAITING).fetchone(), "the second one to wait")
    waits.join()
    assert [(row.by, row.before, row.after) for row in entries_of(first, 9)] == [
        ("cli:eve", "paused by cli:ada", "paused"),
        ("cli:ada", at_first, "paused"),
    ]
