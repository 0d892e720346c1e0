"""`orpheus schedules`, `run-schedule`, `pause-schedule` and `resume-schedule`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.storage import Store
from tests.audit_log import entries_of
from tests.databases import make_database
from tests.unit.supervisor.cli.conftest import TIME, URL

Orpheus = Callable[..., Any]


def test_schedules_are_listed_with_their_next_runs(orpheus: Orpheus, store: Store) -> None:
    store.schedules.configure(
        [
            ScheduleDefinition("nightly", "count", cron="0 3 * * *", timezone="Europe/Vienna"),
            ScheduleDefinition("often", "count", every_s=90),
        ]
    )
    store.schedules.pause("nightly")
    nightly, often = orpheus("schedules", "--json").json["items"]
    assert (nightly["cron"], nightly["paused"], nightly["next_runs"]) == ("0 3 * * *", True, [])
    assert (often["every"], len(often["next_runs"])) == (90.0, 5)
    _, first, second = orpheus("schedules").out.splitlines()
    assert first.split()[-3:] == ["paused", "-", "-"]
    assert "every 1 min 30 s" in second
    assert second.count("+00:00") == 2


def test_seconds_stand_in_all_rows_if_one_needs_them(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly = ScheduleDefinition("hourly", "count", cron="0 * * * *")
    store.schedules.configure([hourly])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert re.search(r" \d\d:00 UTC", orpheus("schedules").out)
    store.schedules.configure([hourly, ScheduleDefinition("often", "count", every_s=7)])
    _, row, _ = orpheus("schedules").out.splitlines()
    assert re.search(r" \d\d:00:00 UTC", row)


def test_times_are_told_in_the_zone_of_the_schedule(orpheus: Orpheus, store: Store) -> None:
    nightly = ScheduleDefinition("nightly", "count", cron="30 3 1 7 *", timezone="Asia/Tokyo")
    store.schedules.configure([nightly])
    assert re.search(
        r"-07-01T03:30:00\+09:00 +\d{4}-07-01T03:30:00\+09:00", orpheus("schedules").out
    )
    store.schedules.pause("nightly")
    assert orpheus("schedules", "resume", "nightly").out.endswith("-07-01T03:30:00+09:00\n")


@pytest.mark.parametrize("action", ["run", "pause", "resume"])
def test_a_schedule_is_run_and_paused_by_either_name_of_the_command(
    action: str, orpheus: Orpheus, store: Store, hourly: None
) -> None:
    before = store.schedules.pause if action == "resume" else store.schedules.resume
    before("hourly")
    one = orpheus("schedules", action, "hourly")
    before("hourly")  # who pauses it again is told that it is paused already
    other = orpheus(f"{action}-schedule", "hourly")
    assert one.code == other.code == 0
    assert one.out.replace("job 1", "job 2") == other.out
    assert [row.target for row in entries_of(store, 9)] == ["schedule hourly"] * 2


@pytest.mark.usefixtures("hourly")
def test_the_options_of_schedules_are_those_of_its_commands_too(
    orpheus: Orpheus, store: Store
) -> None:
    other = "sqlite:///other/orpheus.db"
    make_database(other)
    Path("other.toml").write_text(f'[database]\nurl = "{other}"\n')
    of_other = ("schedules", "--config", "other.toml")
    assert orpheus(*of_other, "pause", "hourly").code == 1  # there, no schedule has that name
    assert orpheus("schedules", "--set", f'database.url="{other}"', "pause", "hourly").code == 1
    assert not store.schedules.get("hourly").paused
    assert orpheus(*of_other, "pause", "hourly", "--set", f'database.url="{URL}"').code == 0
    assert store.schedules.get("hourly").paused
    assert orpheus("schedules", "--config", "none.toml", "run", "hourly").code == 78
    assert orpheus("schedules", "--json", "run", "hourly").json["id"] == 1


def test_the_last_job_is_told_with_its_outcome(
    orpheus: Orpheus, store: Store, hourly: None, finish: Callable[..., None]
) -> None:
    orpheus("schedules", "run", "hourly")
    finish(store, Ending.FAILED_PERMANENTLY, JobError("TooLate", "no", None))
    assert "1 failed (TooLate)" in orpheus("schedules").out


def test_80_columns_show_how_the_last_job_ended_before_a_zone_that_the_next_run_names(
    orpheus: Orpheus,
    store: Store,
    finish: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nightly = ScheduleDefinition("nightly-report", "count", cron="0 3 * * *", payload='{"n":3}')
    store.schedules.configure([nightly])
    orpheus("schedules", "run", "nightly-report")
    finish(store, Ending.FAILED_PERMANENTLY, JobError("SomethingTooLate", "no", None))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = orpheus("schedules")
    head, row = out.splitlines()
    assert max(len(head), len(row)) <= 80
    assert "TIMEZONE" not in head and "  1 failed" in row, out
    assert "TIMEZONE" not in err, "NEXT RUN says UTC"
    assert "`orpheus schedules show NAME` shows all of one" in " ".join(err.split())


def test_a_schedule_is_shown_whole(
    orpheus: Orpheus, store: Store, hourly: None, finish: Callable[..., None]
) -> None:
    orpheus("schedules", "run", "hourly")
    finish(store, Ending.FAILED_PERMANENTLY, JobError("TooLate", "no", None))
    out = orpheus("schedules", "show", "hourly").out
    assert re.search(r"^last job +1 failed \(TooLate\)$", out, re.MULTILINE)
    assert re.search(rf"^last jobs +1 failed \(TooLate\) {TIME}$", out, re.MULTILINE)
    assert re.search(rf"^next runs +({TIME}, ){{4}}{TIME}$", out, re.MULTILINE)
    assert re.search(r"^its jobs +orpheus jobs --tag schedule-hourly$", out, re.MULTILINE)
    assert orpheus("schedules", "show", "hourly", "--json").json["name"] == "hourly"
    assert orpheus("schedules", "show", "hurly").code == 1


@pytest.fixture
def hourly(store: Store) -> None:
    """A schedule, whose job the type `count` takes."""
    payload = '{"n":3}'
    store.schedules.configure(
        [ScheduleDefinition("hourly", "count", every_s=3600, payload=payload)]
    )


@pytest.mark.usefixtures("hourly")
def test_the_job_of_a_schedule_is_run_now(orpheus: Orpheus, store: Store) -> None:
    before = store.schedules.get("hourly").tick_ms
    first = orpheus("run-schedule", "hourly")
    assert first.out == "schedule hourly: job 1 submitted\n"
    assert "nothing runs, so it waits" in first.err
    job = orpheus("run-schedule", "hourly", "--json", "--set", "jobs.max_retries=9").json
    assert (job["id"], job["payload"], job["max_retries"]) == (2, {"n": 3}, 9)
    row = store.schedules.get("hourly")
    assert (row.tick_ms, row.last_job_id) == (before, 2)


@pytest.mark.usefixtures("hourly")
def test_a_schedule_is_paused_and_resumed(orpheus: Orpheus, store: Store) -> None:
    assert orpheus("pause-schedule", "hourly").out == "schedule hourly: paused\n"
    assert store.schedules.get("hourly").paused
    assert orpheus("pause-schedule", "hourly", "--json").json["next_runs"] == []
    assert orpheus("resume-schedule", "hourly").out.startswith(
        "schedule hourly: resumed, next run 20"
    )
    assert not store.schedules.get("hourly").paused
    again = orpheus("resume-schedule", "hourly").out
    assert again.startswith("schedule hourly: not paused, next run 20")


@pytest.mark.usefixtures("hourly")
def test_a_paused_schedule_tells_who_paused_it_why_and_when(orpheus: Orpheus) -> None:
    orpheus("pause-schedule", "hourly", "--reason", "holidays")
    (item,) = orpheus("schedules", "--json").json["items"]
    assert item["pause"]["reason"] == "holidays"
    _, line = orpheus("schedules").out.splitlines()
    assert re.search(rf"  paused  .*  {item['pause']['by']}: holidays \({TIME}\)$", line)


@pytest.mark.usefixtures("hourly")
def test_what_was_done_to_schedules_is_in_the_audit_log(orpheus: Orpheus, store: Store) -> None:
    for command in ("pause-schedule", "run-schedule", "resume-schedule"):
        orpheus(command, "hourly", "--reason", "a holiday")
        assert orpheus(command, "unknown").code == 1
    rows = [(row.action, row.target, row.reason) for row in entries_of(store, 9)]
    assert rows == [
        (action, "schedule hourly", "a holiday") for action in ("resume", "run", "pause")
    ]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["run-schedule", "pause-schedule", "resume-schedule"])
def test_an_unknown_schedule_is_one_line(orpheus: Orpheus, command: str) -> None:
    assert orpheus(command, "nightly") == (1, "", "orpheus: there is no schedule 'nightly'\n")


@pytest.mark.usefixtures("hourly")
@pytest.mark.parametrize("command", ["run-schedule", "pause-schedule", "resume-schedule"])
def test_a_schedule_that_is_typed_wrong_is_told_with_a_near_one(
    orpheus: Orpheus, command: str
) -> None:
    said = "orpheus: there is no schedule 'horuly'; did you mean 'hourly'?\n"
    assert orpheus(command, "horuly") == (1, "", said)
