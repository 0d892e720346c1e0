"""`@job`: names, defaults, the registry."""

import inspect
import pickle
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import UNSET
from msgspec.structs import asdict
from pydantic import AfterValidator

from orpheus import Context, PermanentError, Snooze, job
from orpheus.shared.domain.backoff import BackoffOfType, BackoffRules
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types import registry as job_types
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import load_job_types, registered_types
from orpheus.shared.messages.job_types import job_type_of


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


def test_a_type_may_have_a_backoff_and_permanent_errors() -> None:
    @job(permanent=(ValueError, KeyError), backoff_base="10s", backoff_factor=3, backoff_max="1h")
    def careful() -> None: ...

    made = registered_types()["careful"]
    assert made.permanent == (ValueError, KeyError)
    assert made.backoff == BackoffOfType(10.0, 3, 3600.0, None)
    row = type_row(made.describe())
    shown = asdict(job_type_of(row, JobDefaults(max_retries=3, timeout_s=900.0)).defaults)
    assert {n: v for n, v in shown.items() if n.startswith("backoff") and v is not UNSET} == {
        "backoff_base": 10.0,
        "backoff_factor": 3,
        "backoff_max": 3600.0,
    }
    assert made.describe()["backoff"] == {"base_s": 10.0, "factor": 3, "max_s": 3600.0}
    assert made.backoff.over(BackoffRules(jitter=0.2)) == BackoffRules(10.0, 3, 3600.0, 0.2)


async def fetch(url: str, *, ctx: Context) -> str:
    """Fetch a page."""
    return url


def test_the_function_stays_what_it_was() -> None:
    before = inspect.signature(fetch)
    marked = job(fetch)
    assert marked is fetch
    assert inspect.iscoroutinefunction(marked)
    assert inspect.signature(marked) == before
    assert (marked.__name__, marked.__doc__) == ("fetch", "Fetch a page.")
    assert pickle.loads(pickle.dumps(job("two_names")(sum_of))) is sum_of


def sum_of(a: int, b: int) -> int:
    return a + b


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
        ({"timeout": "soon"}, "timeout: 'soon' is not a duration"),
        ({"permanent": ValueError}, "permanent: must be a tuple of exception types"),
        ({"retention": "soon"}, "retention: 'soon' is not a duration"),
        ({"retry_on": ValueError}, "retry_on: must map exception types to waits"),
        ({"retry_on": {"ValueError": 1}}, "retry_on: 'ValueError' is not an exception type"),
        ({"retry_on": {ValueError: "x"}}, "retry_on: ValueError: 'x' is not a duration"),
        ({"hide": "ctx"}, "hide: must be a tuple of paths"),
        ({"hide": ("a b",)}, "hide: 'a b' must be a path such as payload.card"),
        ({"hide": ("card",)}, "hide: 'card': there is no parameter 'card'"),
        ({"hide": ("payload.card",)}, "there is no parameter 'card'"),
        ({"backoff_factor": 0.5}, "backoff_factor: must be a number from 1 to 100"),
        ({"backoff_jitter": 1}, "backoff_jitter: must be a number from 0 to 0.99"),
    ],
)
def test_a_value_that_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):

        @job("name", **options)
        def handler(ctx: Context) -> None: ...


def test_a_path_without_a_first_word_is_of_the_payload() -> None:
    @job(hide=("card", "*.password", "payload.user.pin", "result.token", "result"))
    def pays(ctx: Context, card: str, user: dict[str, str], result: int) -> None: ...

    made = registered_types()["pays"]
    assert made.hide == (
        "payload.card", "payload.*.password", "payload.user.pin", "result.token", "payload.result",
    )  # fmt: skip
    row = type_row(made.describe())
    assert row.hide.split() == [*made.hide]


def test_a_misfit_of_a_hidden_field_is_not_quoted() -> None:
    def refuse(text: str) -> str:
        raise ValueError(f"{text} is wrong")

    checked = Annotated[str, AfterValidator(refuse)]

    @job(hide=("card",))
    def pays(card: checked, note: checked) -> None: ...

    with pytest.raises(PermanentError, match=r"/card: does not fit; /note:.* open is wrong"):
        registered_types()["pays"].bind('{"card":"hush","note":"open"}')
    with pytest.raises(TypeError, match="card: does not fit; note: "):
        pays.new(card="hush", note="open")


def test_two_functions_of_one_name_are_refused_with_both_full_names() -> None:
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


def test_a_module_without_a_job_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_jobs.py").write_text("def hi(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="some_jobs defines no job type: put @job before"):
        load_job_types(["some_jobs"])
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


def test_snooze_takes_a_duration() -> None:
    assert Snooze("5m").delay_s == 300
    assert Snooze(0.5).delay_s == 0.5
    assert Snooze(timedelta(hours=1)).delay_s == 3600
    with pytest.raises(ValueError, match="not a duration"):
        Snooze("later")
