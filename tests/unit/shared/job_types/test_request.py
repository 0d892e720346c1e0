"""A job to submit: its options are checked where they are set, and say what is wrong."""

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orpheus.shared.job_types.request import JobRequest, Options

ONE = JobRequest("resize", {"path": "a.png"})


def test_options_change_a_copy() -> None:
    changed = ONE.with_options(queue="media", priority=5, tags=["a", "b", "a"], depends_on=[7, "x"])
    assert (changed.queue, changed.priority, changed.tags) == ("media", 5, ("a", "b"))
    assert changed.depends_on == (7, "x")
    assert (changed.type, changed.payload) == ("resize", {"path": "a.png"})
    assert JobRequest("resize", {"path": "a.png"}) == ONE, "the first stays as it was"
    assert changed.with_options(queue=None).queue is None
    assert pickle.loads(pickle.dumps(changed)) == changed


def test_durations_become_seconds_and_times_aware_datetimes() -> None:
    changed = ONE.with_options(delay="5m", timeout=timedelta(seconds=90))
    assert (changed.delay, changed.timeout) == (300.0, 90.0)
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert ONE.with_options(run_at="2026-01-31T13:00:00+01:00").run_at == at
    assert ONE.with_options(run_at=at).run_at == at


def test_delay_and_run_at_replace_each_other() -> None:
    later = ONE.with_options(delay=5).with_options(run_at="2026-01-31T13:00:00Z")
    assert later.delay is None
    assert later.with_options(delay=1).run_at is None
    with pytest.raises(ValueError, match="delay and run_at cannot both be given"):
        ONE.with_options(delay=5, run_at="2026-01-31T13:00:00Z")


def test_what_was_submitted_may_stand_for_its_id() -> None:
    class Submitted:
        id = 12

    assert ONE.with_options(depends_on=[Submitted(), 12, "other"]).depends_on == (12, "other")


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(TypeError, match=r"resize: prio, type is not an option; there are queue, "):
        ONE.with_options(prio=1, type="other")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"priority": 1001}, "priority: must be an integer from -1000 to 1000"),
        ({"delay": timedelta(days=366)}, "delay: a duration lies between"),
        ({"timeout": 0}, "timeout: must be longer than 0"),
        ({"run_at": "tomorrow"}, "run_at: is not an RFC 3339 time"),
        ({"run_at": datetime(2026, 1, 1)}, "run_at: lacks its time zone"),  # noqa: DTZ001
        ({"run_at": 12}, "run_at: must be text such as"),
        ({"run_at": datetime(1900, 1, 1, tzinfo=UTC)}, "run_at: must be from 1970 to 9999"),
        ({"concurrency_key": "\ud800"}, "concurrency_key: has a lone surrogate"),
        ({"depends_on": 7}, "depends_on: must be a list"),
        ({"depends_on": [0]}, "depends_on/0: must be the id of a job"),
        ({"tags": "urgent"}, "tags: must be a list"),
        ({"on_dependency_failure": "explode"}, "on_dependency_failure: must be one of cancel, run"),
        ({"ref": "a b"}, "ref: is not a valid name"),
        ({"expires": 0}, "expires: must be longer than 0"),
        ({"unique_for": "1h"}, "unique_for needs unique_key"),
        ({"on_duplicate": "replace"}, "on_duplicate needs unique_key"),
        (
            {"unique_key": "k", "on_duplicate": "merge"},
            "on_duplicate: must be one of keep, replace",
        ),
        ({"retention": "soon"}, "retention: 'soon' is not a duration"),
    ],
)
def test_a_value_that_is_not_valid_is_named(options: Any, named: str) -> None:
    with pytest.raises(ValueError, match=r"^resize: ") as refused:
        ONE.with_options(**options)
    assert named in str(refused.value)


def test_only_what_was_given_is_sent() -> None:
    assert ONE.given() == {"type": "resize", "payload": {"path": "a.png"}}
    assert ONE.with_options(priority=0, tags=["a"]).given() == {
        "type": "resize",
        "payload": {"path": "a.png"},
        "priority": 0,
        "tags": ("a",),
    }
    assert ONE.given().keys().isdisjoint(Options.__annotations__)
