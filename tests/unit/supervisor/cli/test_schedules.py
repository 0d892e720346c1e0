"""`orpheus schedules` and its commands."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.storage import Store
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


@pytest.fixture
def schedules(store: Store) -> Store:
    """One by cron in a zone of its own, and one each 90 s."""
    store.schedules.configure(
        [
            ScheduleDefinition(
                "nightly", "count", cron="30 3 1 7 *", timezone="Asia/Tokyo", payload='{"n":3}'
            ),
            ScheduleDefinition("often", "words", every_s=90, queue="mail"),
        ]
    )
    return store


def test_schedules_are_listed(
    orpheus: Orpheus, schedules: Store, finish: Callable[..., None]
) -> None:
    orpheus("schedules", "run", "nightly")
    finish(schedules, Ending.FAILED_PERMANENTLY, JobError("TooLate", "no", None))
    orpheus("schedules", "pause", "often", "--reason", "moving")
    head, nightly, often = orpheus("schedules").out.splitlines()
    assert re.split("  +", head) == [
        "SCHEDULE", "TYPE", "WHEN", "LAST RUN", "LAST JOB", "NEXT RUN", "THEN", "PAUSED BY",
    ]  # fmt: skip
    july = r"\d{4}-07-01T03:30:00\+09:00"
    row = rf"nightly +count +30 3 1 7 \* +\S+ +1 failed \(TooLate\) +{july} +{july} +-"
    assert re.fullmatch(row, nightly)
    row = rf"often +words +every 1 min 30 s +- +- +paused +- +cli:\S+: moving \({TIME}\)"
    assert re.fullmatch(row, often)
    first, second = orpheus("schedules", "--json").json["items"]
    assert (first["cron"], len(first["next_runs"])) == ("30 3 1 7 *", 5)
    assert (second["every"], second["paused"], second["next_runs"]) == (90.0, True, [])


def test_a_schedule_is_run_paused_and_resumed(
    orpheus: Orpheus, schedules: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert orpheus("schedules", "run", "nightly").out == "schedule nightly: job 1 submitted\n"
    assert orpheus("schedules", "--json", "run", "nightly").json["id"] == 2
    paused = orpheus("schedules", "pause", "nightly", "--reason", "moving")
    assert paused == (0, "schedule nightly: paused\n", "")
    resumed = orpheus("schedules", "resume", "nightly").out
    assert re.fullmatch(r"schedule nightly: resumed, next run \S+T03:30:00\+09:00\n", resumed)
    rows = [(row.action, row.target, row.by, row.reason) for row in entries_of(schedules, 2)]
    assert [row[3] for row in rows] == [None, "moving"]
    assert {row[1:3] for row in rows} == {("schedule nightly", "cli:ada")}
    for action in ("run", "pause", "resume"):
        told = "orpheus: there is no schedule 'nihgtly'; did you mean 'nightly'?\n"
        assert orpheus("schedules", action, "nihgtly") == (1, "", told)
