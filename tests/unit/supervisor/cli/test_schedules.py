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


def test_a_schedule_is_put_and_deleted(orpheus: Orpheus, schedules: Store) -> None:
    put = ("schedules", "put", "new", "count", "n=3", "--cron", "0 3 * * *", "--overlap", "skip")
    added = orpheus(*put).out
    assert re.fullmatch(r"schedule new: added, next run \S+T03:00:00\+00:00\n", added)
    assert orpheus(*put).out.startswith("schedule new: as it was, next run ")
    orpheus("schedules", "pause", "new")
    assert orpheus(*put, "--jitter", "5m").out == "schedule new: changed, paused\n"
    definition = schedules.schedules.get("new").definition
    assert (definition.payload, definition.cron, definition.overlap) == (
        '{"n": 3}', "0 3 * * *", "skip",
    )  # fmt: skip
    assert orpheus("schedules", "delete", "new") == (0, "schedule new: deleted\n", "")
    refused = orpheus("schedules", "delete", "often")
    assert (refused.code, "stands in the configuration file" in refused.err) == (1, True)
    refused = orpheus("schedules", "put", "other", "count", "--every", "1s")
    assert (refused.code, "n: " in refused.err) == (1, True)


def test_a_backfill_says_what_it_would_do_and_does_it(orpheus: Orpheus, store: Store) -> None:
    store.schedules.configure([ScheduleDefinition("often", "words", every_s=3600)])
    span = ("--since", "2026-01-01T00:00:00Z", "--until", "2026-01-01T03:00:00Z")
    missing = "(2026-01-01T00:00:00+00:00 to 2026-01-01T02:00:00+00:00)"
    told = f"schedule often: 3 times, 3 without a job {missing}: 3 jobs "
    dry = orpheus("schedules", "backfill", "often", *span, "--dry-run")
    listed = "".join(f"  2026-01-01T0{hour}:00:00+00:00\n" for hour in range(3))
    assert dry == (0, f"{told}would be submitted\n{listed}", "")
    assert orpheus("schedules", "backfill", "often", "--since", "0s", "--until", "1h").code == 2
    assert orpheus("schedules", "backfill", "often", *span).out == f"{told}submitted\n"
    again = orpheus("schedules", "backfill", "often", *span, "--json").json
    assert again == {"ticks": 3, "missing": [], "jobs": []}
    (entry,) = entries_of(store, 9)
    assert (entry.action, entry.target, entry.count) == ("backfill", "schedule often", 3)
    much = orpheus("schedules", "backfill", "often", "--since", "2020-01-01")
    assert (much.code, "more than 10,000 ticks" in much.err) == (1, True)
