"""`@job`: names, defaults, the registry."""

import sys
from pathlib import Path
from typing import Any

import pytest

from orpheus import Context, PermanentError, Snooze, job
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types import registry as job_types
from orpheus.shared.job_types.registry import (
    JobCancelled,
    JobTimeout,
    load_job_types,
    registered_types,
)


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_types, "_registry", {})


def test_a_bare_decorator_takes_the_functions_name_and_the_defaults() -> None:
    @job
    def resize(ctx: Context, path: str) -> str:
        """Make a picture smaller.

        In place.
        """
        return path

    made = registered_types()["resize"]
    assert (made.max_retries, made.timeout_s, made.queue, made.is_async) == (None,) * 3 + (False,)
    assert made.handler is resize, "the function stays as it is"
    assert made.describe() == {
        "name": "resize",
        "schema": {
            "title": "resize",
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
            "additionalProperties": False,
        },
        "max_retries": None,
        "timeout_s": None,
        "queue": None,
        "description": "Make a picture smaller.",
    }


def test_a_decorator_with_arguments_sets_them() -> None:
    @job("pictures.resize", max_retries=5, timeout="30s", queue="slow")
    async def resize(ctx: Context) -> None: ...

    made = registered_types()["pictures.resize"]
    assert (made.max_retries, made.timeout_s, made.queue, made.is_async) == (5, 30.0, "slow", True)


def test_a_timeout_may_be_seconds() -> None:
    @job(timeout=1.5)
    def short(ctx: Context) -> None: ...

    assert registered_types()["short"].timeout_s == 1.5


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "é", "a" * 65, "a\n"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a job type"):

        @job(name)
        def handler(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"queue": "a b"}, "cannot name a queue"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 101}, "max_retries"),
        ({"timeout": "soon"}, "timeout: 'soon' is no duration"),
        ({"timeout": 0}, "longer than 0"),
        ({"timeout": -1}, "between 0 and 365 days"),
    ],
)
def test_a_value_that_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):

        @job("name", **options)
        def handler(ctx: Context) -> None: ...


def test_two_functions_of_one_name_are_refused_with_both_places() -> None:
    @job("same")
    def first(ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match=r"first.*second") as refused:

        @job("same")
        def second(ctx: Context) -> None: ...

    assert __name__ in str(refused.value)


def test_loading_imports_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_jobs.py").write_text("from orpheus import job\n@job\ndef hi(ctx): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(load_job_types(["some_jobs"])) == {"hi"}
    sys.modules.pop("some_jobs")


def test_an_annotation_that_names_nothing_is_refused_when_the_module_is_loaded() -> None:
    @job
    def vague(ctx: Context, n: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigurationError, match=r"vague.*Missing"):
        load_job_types([])


def test_a_payload_that_does_not_fit_is_a_permanent_error_that_names_the_field() -> None:
    @job
    def add(ctx: Context, n: int) -> None: ...

    load_job_types([])
    with pytest.raises(PermanentError, match="does not fit add: /n: must be an integer, not null"):
        registered_types()["add"].bind('{"n": null}')


def test_what_stops_a_job_is_no_exception() -> None:
    assert not issubclass(JobCancelled, Exception)
    assert not issubclass(JobTimeout, Exception)


def test_snooze_takes_a_duration() -> None:
    assert Snooze("5m").delay_s == 300
    assert Snooze(0.5).delay_s == 0.5
    with pytest.raises(ValueError, match="no duration"):
        Snooze("later")
