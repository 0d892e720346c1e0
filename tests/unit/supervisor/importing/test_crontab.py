"""Crontabs: times, users, variables, percent signs, and what is said of everything else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orpheus.shared.domain.schedules import ScheduleDefinition, ticks_after
from orpheus.supervisor.importing.crontab import CronHost, convert, has_user_column
from orpheus.supervisor.importing.imported import Entry, Imported, Left, SourceFile

BERLIN = CronHost("Europe/Berlin", "shop")
NAMES_OF_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES_OF_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)


def imported(text: str, host: CronHost = BERLIN) -> Imported:
    return convert(SourceFile("crontab", text), host)


def tables(text: str, host: CronHost = BERLIN) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one command, and its schedule."""
    command, schedule = imported(text, host).entries()
    assert (command.table, schedule.table) == ("commands", "schedules")
    return dict(command.values), dict(schedule.values)


def left(text: str, host: CronHost = BERLIN) -> list[Left]:
    return [one for one, _ in imported(text, host).left()]


def numbers(text: str, least: int, most: int, names: tuple[str, ...] = ()) -> set[int]:
    """The values of one field, as crontab(5) says."""
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        ends = (str(least), str(most)) if span == "*" else (span.split("-") * 2)[:2]
        first, last = (
            names.index(end) + least if end in names else int(end)
            for end in (ends if "-" in span or span == "*" else [span, span])
        )
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def cron_times(time: str, after: datetime) -> Iterator[datetime]:
    """The minutes at which Debian's cron runs a job, by looking at each day in turn."""
    minute, hour, day, month, weekday = time.split()
    minutes, hours = numbers(minute, 0, 59), numbers(hour, 0, 23)
    months, days = numbers(month, 1, 12, NAMES_OF_MONTHS), numbers(day, 1, 31)
    weekdays = {one % 7 for one in numbers(weekday, 0, 7, NAMES_OF_DAYS)}
    both = day.startswith("*") or weekday.startswith("*")
    date = after.date()
    while True:
        fits = (date.day in days, date.isoweekday() % 7 in weekdays)
        if date.month in months and (all(fits) if both else any(fits)):
            for at in ((h, m) for h in sorted(hours) for m in sorted(minutes)):
                moment = datetime(date.year, date.month, date.day, *at, tzinfo=after.tzinfo)
                if moment > after:
                    yield moment
        date += timedelta(days=1)


@pytest.mark.parametrize(
    "time",
    [
        "* * * * *",
        "*/5 * * * *",
        "0 * * * *",
        "7,37 */6 * * *",
        "15 2 * * *",
        "0 9-17/2 * * 1-5",
        "10-50/20 8,20 * * *",
        "0 0 1 * *",
        "0 4 8-14 * *",
        "30 6 31 * *",
        "0 0 29 feb *",
        "0 12 * jan,jul *",
        "5 5 * 3-5/2 *",
        "0 0 * * 0",
        "0 0 * * 7",
        "0 0 * * sun,Wed",
        "59 23 * * mon-fri",
        "0 0 * * 5-7",
        "30 9 15 * fri",
        "0 0 1,15 * 1",
        "0 0 */2 * 1",
        "0 0 1-7 * */2",
        "0 3 13 * 5",
        "42 1 */10 6-8 *",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_schedules_fire_when_cron_would(time: str, zone: str) -> None:
    _, schedule = tables(f"{time} /opt/job", CronHost(zone))
    after = datetime(2026, 6, 3, 11, 59, 30, tzinfo=ZoneInfo(zone))
    definition = ScheduleDefinition(
        "job", "job", cron=schedule["cron"], timezone=schedule["timezone"]
    )
    ours = ticks_after(definition, int(after.timestamp() * 1000))
    assert [datetime.fromtimestamp(tick / 1000, UTC) for tick in islice(ours, 10)] == [
        moment.astimezone(UTC) for moment in islice(cron_times(time, after), 10)
    ]


@pytest.mark.parametrize(
    ("nickname", "same"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_a_nickname_is_the_time_that_it_stands_for(nickname: str, same: str) -> None:
    assert tables(f"{nickname} /opt/job")[1]["cron"] == same


def test_what_cron_does_without_being_told_is_written_out() -> None:
    command, schedule = tables("0 3 * * *\t/opt/job --all")
    assert command == {
        "name": "job",
        "argv": ["/opt/job", "--all"],
        "timeout": "1d",
        "max_retries": 0,
    }
    assert schedule == {
        "name": "job",
        "cron": "0 3 * * *",
        "timezone": "Europe/Berlin",
        "type": "job",
        "catch_up": "none",
    }


def test_a_period_is_carried_over_with_a_word_on_its_beginning() -> None:
    text = "@every 90s /opt/job"
    assert tables(text)[1]["every"] == "90s"
    assert "multiple of its period" in left(text)[0].why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@reboot /opt/job", "a schedule has a time, and this has none"),
        ("@sometimes /opt/job", "Wrong number of fields"),
        ("@every soon /opt/job", "every must be at least 1 s"),
        ("61 * * * * /opt/job", "Bad minute"),
        ("0 0 31 2 * /opt/job", "Bad day-of-month"),
        ("H 4 * * * /opt/job", "Bad minute"),
        ("0 0 * * sat-sun /opt/job", "Bad day-of-week"),
        ("* * * * *", "it is not a time and a command"),
        ("no job at all", "it is not a time and a command"),
        ("0 4 * * * /opt/\udcff", "it is not UTF-8 text"),
        ("NAME=\udcff", "it is not UTF-8 text"),
        ("0 4 * * * /opt/\0", "it is not UTF-8 text"),
    ],
)
def test_a_line_that_cannot_be_a_schedule_is_left_whole(line: str, why: str) -> None:
    (one,) = imported(f"# a comment\n\n{line}\n").items
    assert isinstance(one, Left)
    assert (one.position.line, one.what) == (3, line)
    assert why in one.why


def test_variables_hold_for_the_jobs_below_them() -> None:
    text = "A=1\n0 1 * * * /opt/first\nA = 'two words'\nB=\"3\"\n0 2 * * * /opt/second\n"
    first, second, *_ = imported(text).entries()
    assert first.values["env"] == {"A": "1"}
    assert second.values["env"] == {"A": "two words", "B": "3"}
    assert [position.line for position in first.positions] == [2, 1]
    assert [position.line for position in second.positions] == [5, 3, 4]
    assert left(text) == []


def test_a_variable_that_no_job_sees_is_left() -> None:
    text = "A=1\nA=2\n0 1 * * * /opt/job\nB=3"
    assert [(one.position.line, one.what) for one in left(text)] == [(1, "A=1"), (4, "B=3")]


def test_shell_and_home_say_how_a_job_is_run() -> None:
    text = "SHELL=/bin/bash\nHOME=/srv\n0 1 * * * cd shop && ls *.log\n"
    command, _ = tables(text)
    assert command["argv"] == ["/bin/bash", "-c", "ls *.log"]
    assert (command["cwd"], command["env"]) == ("/srv/shop", {"HOME": "/srv"})


def test_a_shell_without_a_name_is_the_usual_one() -> None:
    assert tables("SHELL=\n0 1 * * * ls *")[0]["argv"] == ["/bin/sh", "-c", "ls *"]


@pytest.mark.parametrize("name", ["MAILTO", "MAILFROM", "CONTENT_TYPE", "RANDOM_DELAY"])
def test_a_variable_for_cron_itself_is_left(name: str) -> None:
    text = f"{name}=5\n0 1 * * * /opt/job"
    (one,) = left(text)
    assert (one.what, one.position.line) == (f"{name}=5", 1)
    assert "env" not in tables(text)[0]


def test_cron_tz_is_the_zone_of_the_jobs_below_it() -> None:
    text = "0 1 * * * /opt/a\nCRON_TZ=Asia/Tokyo\nTZ=Asia/Seoul\n0 1 * * * /opt/b\n"
    schedules = [one.values for one in imported(text).entries() if one.table == "schedules"]
    assert [one["timezone"] for one in schedules] == ["Europe/Berlin", "Asia/Tokyo"]
    (of_b,) = [one.values for one in imported(text).entries() if one.original.endswith("/opt/b")]
    assert of_b["env"] == {"TZ": "Asia/Seoul"}
    assert "Debian" in left(text)[0].why


def test_a_time_zone_that_is_unknown_leaves_the_job() -> None:
    (why,) = [
        one.why for one in left("CRON_TZ=Mars/Base\n0 1 * * * /opt/a") if one.position.line == 2
    ]
    assert why == "timezone 'Mars/Base' is not known"


def test_a_user_who_does_not_run_orpheus_is_left_and_the_job_is_not() -> None:
    text = "0 1 * * * root /opt/a\n0 2 * * * shop /opt/b"
    host = CronHost("UTC", "shop", has_users=True)
    first, second, *_ = imported(text, host).entries()
    assert (first.values["argv"], second.values["argv"]) == (["/opt/a"], ["/opt/b"])
    assert [one.what for one in first.left] == ["user root"]
    assert second.left == ()


def test_a_line_without_a_user_is_left_if_there_should_be_one() -> None:
    (one,) = left("0 1 * * * /opt/a", CronHost("UTC", "shop", has_users=True))
    assert one.why == "it is not a time, a user and a command"


@pytest.mark.parametrize(
    ("text", "has_users"),
    [
        ("0 1 * * * root /opt/a\n@daily www-data /opt/b\n", True),
        ("A=1\n# * * * * * x y\n0 1 * * * root /opt/a\n", True),
        ("0 1 * * * root /opt/a\n0 1 * * * /opt/b\n", False),
        ("0 1 * * * root\n", False),
        ("A=1\n", False),
    ],
)
def test_a_column_of_users_is_seen_if_every_job_has_one(text: str, has_users: bool) -> None:
    assert has_user_column(SourceFile("crontab", text), {"root", "www-data"}) is has_users


def test_a_percent_sign_begins_the_input_and_a_backslash_keeps_it() -> None:
    assert tables(r"0 1 * * * /opt/a 100\%")[0]["argv"] == ["/opt/a", "100%"]
    argv = tables(r"0 1 * * * /opt/a%one\%%two")[0]["argv"]
    assert argv == ["/bin/sh", "-c", "printf '%s\\n' one% two | (\n/opt/a\n)"]


def test_braces_of_a_command_are_no_fields_of_a_payload() -> None:
    argv = tables("0 1 * * * awk '{print}' ${HOME}/x")[0]["argv"]
    assert argv[2] == "awk '{{print}}' ${{HOME}}/x"


def test_names_are_unique_and_not_those_of_built_in_jobs() -> None:
    text = "0 1 * * * sleep 5\n0 2 * * * /opt/a\n0 3 * * * /opt/a\n0 4 * * * /bin/sleep\n"
    names = [one.values["name"] for one in imported(text).entries() if one.table == "commands"]
    assert names == ["sleep-2", "a", "a-2", "sleep-3"]


def test_comments_stay_with_the_job_below_them() -> None:
    text = "# far above\n\nA=1\n# nightly\n# at one\n0 1 * * * /opt/a\n"
    entry = next(iter(imported(text).entries()))
    assert isinstance(entry, Entry)
    assert entry.comments == ("# nightly", "# at one")
