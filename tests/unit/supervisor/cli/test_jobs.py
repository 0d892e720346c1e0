"""`orpheus jobs` and `show`."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME, WORKER

Orpheus = Callable[..., Any]
Finish = Callable[..., None]


@pytest.fixture
def jobs(store: Store, finish: Finish) -> Store:
    """Jobs 1 (done), 2 (failed), 3 (runs), 4 (waits for its time), 5 (waits for 4)."""
    store.jobs.submit_many([NewJob("count"), NewJob("words", tags=("a",)), NewJob("count")])
    finish(store)
    error = JobError("ValueError", "no\x1b[2J\nrow 7", "Traceback:\n  line 1")
    finish(store, Ending.FAILED_PERMANENTLY, error)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.progress(lease.job_id, lease.token, 0.25, "page 1")
    store.jobs.submit(NewJob("words", queue="mail", delay_ms=3_600_000, unique_key="k"))
    store.jobs.submit(
        NewJob("words", queue="mail", depends_on=(4,), payload='{"customer":4711,"eu":true}')
    )
    return store


def test_jobs_are_listed_newest_first(orpheus: Orpheus, jobs: Store) -> None:
    code, out, err = orpheus("jobs")
    assert (code, err) == (0, "")
    head, *rows = [re.split("  +", line) for line in out.splitlines()]
    assert head == [
        "ID", "TYPE", "STATUS", "QUEUE", "ATTEMPT", "CREATED", "ENDED", "RAN", "WORKER", "NOTE",
    ]  # fmt: skip
    told = ["blocked", "pending", "in_progress", "failed", "done"]
    assert [row[:3] for row in rows] == [
        [str(id), type, status]
        for id, type, status in zip("54321", "wwcwc", told, strict=True)
        for type in [{"w": "words", "c": "count"}[type]]
    ]
    assert re.fullmatch(f"due {TIME}", rows[1][-1])
    assert [row[-1] for row in rows[2:4]] == ["25%, page 1", r"ValueError: no\x1b[2J …"]
    answer = orpheus("jobs", "--json", "--limit", "2").json
    assert [job["id"] for job in answer["items"]] == [5, 4]
    assert answer["total"] == {"value": 5, "relation": "eq"}
    assert orpheus("jobs", "--limit", "2").err == "the first 2 of 5\n"
    jobs.queues.pause("mail")
    assert "  pending (paused)  mail " in orpheus("jobs").out


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("--status failed", [2]),
        ("--type count", [3, 1]),
        ("--queue mail", [5, 4]),
        ("--tag a", [2]),
        ("--q row", [2]),
        ("--where customer=4711", [5]),
        ("--where payload.eu=true", [5]),
        ("--where customer=4712", []),
        ("--since yesterday", [2, 1]),
        ("--since 00:00 --where customer=4711", []),
        ("--until 2026-01-31", []),
    ],
)
def test_a_part_of_them_is_listed(orpheus: Orpheus, options: str, ids: list[int]) -> None:
    items = orpheus("jobs", "--json", *options.split()).json["items"]
    assert [job["id"] for job in items] == ids
    assert orpheus("jobs", *options.split()).err == ("" if ids else "no job matches\n")


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--where customer", "must be fields and values, such as customer=4711"),
        ("--since lately", "'lately' is not a time. Use 15m, 14:02, yesterday, 2026-12-01 or"),
        ("--since 1h --until 2h", "must be later than --since"),
        ("--since 1h --status pending", "such a job has not ended"),
    ],
)
def test_a_filter_that_no_job_can_match_is_refused(
    orpheus: Orpheus, options: str, said: str
) -> None:
    code, _, err = orpheus("jobs", *options.split())
    assert code == 2 and said in err


@pytest.mark.usefixtures("jobs")
def test_a_name_that_nothing_has_gets_a_similar_one(orpheus: Orpheus) -> None:
    _, _, err = orpheus("jobs", "--type", "word", "--queue", "mial", "--where", "txt.a=1")
    said = ("job type 'word'; did you mean 'words'?", "queue 'mial'; did you mean 'mail'?")
    assert all(f"there is no {name}" in err for name in said)
    assert "no job type has a field 'txt'; did you mean 'text'?\nno job matches\n" in err


def test_a_search_that_takes_long_says_how_far_it_looked(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.supervisor.cli.jobs._LOOK_S", 0.0)
    store.jobs.submit_many([NewJob("count")] * 600)
    err = orpheus("jobs", "--where", "customer=4711").err
    assert "looked at 500 jobs, back to " in err and "older ones were not searched" in err


SHOWN = rf"""id +2
type +words
status +failed
queue +default
created +{TIME}
finished +{TIME}
worker +default-1
attempt +1
retries +3
timeout +15 min
tags +a
payload +{{}}

ATTEMPT  OUTCOME  WORKER     PID  STARTED +RAN +CPU  MEMORY  ERROR
1        failed   default-1  7 +{TIME} +\d+ m?s +- +- +ValueError: no\\x1b\[2J …

error
  ValueError: no\\x1b\[2J …
  Traceback:
    line 1
"""


@pytest.mark.usefixtures("jobs")
def test_a_job_is_shown_with_its_attempts_and_its_error(orpheus: Orpheus) -> None:
    assert re.fullmatch(SHOWN, orpheus("show", "2").out)
    waits = orpheus("show", "4").out
    assert re.search(rf"^due +{TIME}\n", waits, re.MULTILINE)
    assert re.search(r"^unique key +k\n", waits, re.MULTILINE)
    assert re.search(rf"^waits +.+ until {TIME}", waits, re.MULTILINE)
    assert re.search(r"^depends on +4\n", orpheus("show", "5").out, re.MULTILINE)
    shown = orpheus("show", "2", "--json").json
    assert (shown["id"], [attempt["outcome"] for attempt in shown["attempts"]]) == (2, ["failed"])
