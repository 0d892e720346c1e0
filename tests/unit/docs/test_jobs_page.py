"""docs/jobs.md: each of its snippets runs, and does what the page says."""

import json
import re
import time
import tomllib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import orpheus
from orpheus.config.settings import Settings
from orpheus.shared.domain.jobs import Dependency, JobError, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types import context as contexts
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.request import JobRequest, Options
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout

PAGE = (Path(__file__).parents[3] / "docs" / "jobs.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
LEASE = Lease(
    job_id=7,
    token=70,
    attempt=1,
    type="",
    payload="",
    queue="media",
    timeout_s=60.0,
    max_retries=3,
    failures=0,
    crashes=0,
    started_at_ms=0,
    expires_mono_ms=30_000,
    cancel_requested=False,
)


class Queries:
    """A database that knows every type, and some dependencies."""

    def __init__(self) -> None:
        self.depends_on: list[Dependency] = []

    def dependencies(self, job_id: int) -> list[Dependency]:
        return self.depends_on

    def other_readers(self, lease: Lease, job_type: registry.JobType | None) -> str | None:
        return None

    def prepare_child(self, request: JobRequest) -> NewJob:
        payload = json.dumps(request.payload)
        return NewJob(request.type, payload, depends_on=request.depends_on, ref=request.ref)


class Page:
    """The page's module, and one attempt of one of its jobs."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.queries: Any = Queries()
        self.attempt: RunningAttempt

    def run(self, name: str, payload: Any, around: tuple[Any, ...] = (), **fields: Any) -> Finished:
        lease = LEASE._replace(type=name, payload=json.dumps(payload), **fields)
        self.attempt = RunningAttempt(lease, time.monotonic())
        job_types = registry.registered_types()
        return Executor(job_types, {}, NoTimeout(), self.queries, around=around).run(self.attempt)


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, Any]]:
    """What the snippets define, run one after the other."""
    before, module = dict(registry._registry), types.ModuleType("jobs_page")
    registry._registry.clear()
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/jobs.md", "exec"), module.__dict__)
    registry.load_job_types([])
    yield module.__dict__
    registry._registry.clear()
    registry._registry.update(before)


@pytest.fixture
def page(names: dict[str, Any]) -> Page:
    return Page(names)


def test_the_first_job_reports_enqueues_and_returns(page: Page) -> None:
    ended = page.run("resize", {"path": "ada.jpg"})
    assert (ended.ending, ended.result) == (Ending.SUCCEEDED, '{"width":640}')
    (child,) = ended.children
    assert (child.type, child.payload) == ("notify", '{"path": "ada.jpg"}')
    assert page.attempt.unsaved_progress == (0.5, "half way")


def test_the_payload_s_kinds_come_to_the_job(page: Page) -> None:
    request = page.names["request"]
    assert page.run("invoice", request.payload).result == '"2026-01-31: 2.50"'


@pytest.mark.parametrize(
    ("payload", "attempt", "ending"),
    [
        ({"customer": "Ada", "balance": -1}, 1, Ending.FAILED_PERMANENTLY),
        ({"customer": "Ada", "balance": 0}, 1, Ending.SNOOZED),
        ({"customer": "Ada", "balance": 5}, 1, Ending.FAILED),
        ({"customer": "Bob", "balance": 5}, 2, Ending.FAILED_PERMANENTLY),
        ({"customer": "Ada", "balance": 5}, 2, Ending.SUCCEEDED),
    ],
)
def test_an_attempt_ends_as_the_page_says(
    page: Page, payload: Any, attempt: int, ending: Ending
) -> None:
    assert page.run("charge", payload, attempt=attempt).ending is ending
    backoff = registry.registered_types()["charge"].backoff
    assert (backoff.base_s, backoff.factor, backoff.max_s) == (1, 3, 60)


def test_a_flow_reads_what_became_of_its_parts(page: Page) -> None:
    children = page.run("publish", {"pages": ["a", "c"]}).children
    assert [(sent.ref, sent.depends_on) for sent in children] == [
        ("page-a", ()),
        ("page-c", ()),
        ("child-3", ("page-a", "page-c", 7)),
    ]
    results = [page.run("fetch", json.loads(sent.payload)) for sent in children[:2]]
    assert [done.ending for done in results] == [Ending.SUCCEEDED, Ending.FAILED]
    page.queries.depends_on = [
        Dependency(7, "publish", Status.DONE, "null"),
        Dependency(8, "fetch", Status.DONE, results[0].result, ref="page-a"),
        Dependency(9, "fetch", Status.FAILED, None, JobError("KeyError", "'c'"), ref="page-c"),
    ]
    ended = page.run("bind", {"pages": ["a", "c"]})
    assert ended.result == '{"a":"text of a","c":"\'c\'"}'


def test_a_session_is_around_the_attempt(page: Page) -> None:
    ended = page.run("needs_a_session", {}, around=(page.names["with_session"],))
    assert ended.result == '"session of job 7"'


def test_its_settings_are_settings() -> None:
    toml = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    tables = tomllib.loads(toml)
    assert Settings.model_validate(tables).jobs.around == ("shop.database:with_session",)


def test_it_names_every_part_of_the_context_and_every_option() -> None:
    known = {**vars(contexts.CommonContext), **vars(contexts.Context)}
    parts = [name for name in known if not name.startswith("_")]
    assert [name for name in parts if f"`ctx.{name}" not in PAGE] == []
    snippet = next(block for block in SNIPPETS if ".with_options(" in block)
    options = [name for name in Options.__annotations__ if f"{name}=" not in snippet]
    assert [name for name in options if f"| `{name}` |" not in PAGE] == []


def test_every_exception_that_it_names_is_imported_from_orpheus() -> None:
    raised = [
        name
        for name, found in vars(contexts).items()
        if isinstance(found, type) and issubclass(found, BaseException)
    ]
    assert len(raised) == 7 and {*raised} <= {*orpheus.__all__}
    for name in raised:
        assert f"`{name}" in PAGE or f"raise {name}" in PAGE
        assert getattr(orpheus, name) is getattr(contexts, name)


def test_every_argument_of_the_decorator_is_in_the_table() -> None:
    decorator: Callable[..., Any] = registry.job
    named = [
        argument for argument in decorator.__annotations__ if argument not in ("name", "return")
    ]
    assert [argument for argument in named if f"`{argument}`" not in PAGE] == []
