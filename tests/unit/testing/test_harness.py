"""orpheus.testing.Harness: jobs in a store of their own, with a clock that the test moves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orpheus import Client, Context, Snooze, job
from orpheus.client import ConfigurationError, InvalidJob, NotFound, Status, WaitTimedOut
from orpheus.testing import Harness

RAN: list[str] = []


@job(max_retries=2, backoff_base="10s", backoff_factor=3)
def flown(ctx: Context, name: str, failures: int = 0) -> dict[str, Any]:
    RAN.append(name)
    if ctx.attempt <= failures:
        raise ValueError(f"attempt {ctx.attempt}")
    ctx.log.info("flown", name=name)
    return {"name": name, "before": [*ctx.results.values()]}


@job
def landed(ctx: Context, on: datetime) -> None:
    ctx.enqueue(flown.new(name="home"))


@job
def waits_for_itself(ctx: Context) -> None:
    if ctx.attempt < 3:
        raise Snooze("20m")


@dataclass
class Place:
    x: int
    y: int = 0


@job
def visited(place: Place, on: datetime, times: int = 1) -> None: ...


@job
def endless(ctx: Context) -> None:
    ctx.enqueue(endless.new())


@job(hide=("card", "result.token"))
def paid(card: str) -> dict[str, str]:
    return {"token": card}


@contextmanager
def noted(ctx: Context) -> Iterator[None]:
    RAN.append(f"before {ctx.type}")
    yield
    RAN.append(f"after {ctx.type}")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a project of its own."""
    monkeypatch.chdir(tmp_path)
    RAN.clear()


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness() as made:
        yield made


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Callable[[str], Harness]]:
    """Makes harnesses with a configuration."""
    made: list[Harness] = []

    def make(text: str) -> Harness:
        file = tmp_path / "orpheus.toml"
        file.write_text(text)
        made.append(Harness(file))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_job_runs_when_the_test_says_so(harness: Harness) -> None:
    submitted = harness.submit(flown.new(name="a"), priority=-1)
    harness.submit("flown", {"name": "b"})
    assert RAN == [] and [one.status for one in harness.jobs()] == [Status.PENDING] * 2
    assert harness.run_until_idle() == 2
    assert RAN == ["b", "a"]
    done = harness.get(submitted)
    assert (done.status, done.result) == (Status.DONE, {"name": "a", "before": []})
    (attempt,) = done.attempts
    assert (attempt.outcome, attempt.worker) == ("succeeded", "test-1")
    assert [line.line for line in harness.client.logs(done)] == ["flown"]
    assert [one.kind for one in harness.client.events(done)] == [
        "job.enqueued", "job.started", "job.done",
    ]  # fmt: skip
    assert harness.run_until_idle() == 0


def test_retries_come_when_their_time_has_come(harness: Harness) -> None:
    job = harness.submit(flown.new(name="a", failures=2))
    began = harness.now
    assert harness.run_until_idle() == 1
    assert harness.get(job).status is Status.PENDING
    assert harness.advance("9s") == 0
    assert harness.advance("1s") == 1
    assert harness.advance("1h") == 1
    harness.assert_no_errors()
    assert list(harness.client.jobs(since="30m")) == [] != list(harness.client.jobs(since="1h"))
    done = harness.get(job)
    assert done.status is Status.DONE
    waits = [one.started_at - began for one in done.attempts]
    assert waits == [timedelta(seconds=0), timedelta(seconds=10), timedelta(seconds=40)]
    assert harness.now == began + timedelta(hours=1, seconds=10)


def test_a_job_fails_for_good_after_its_retries(harness: Harness) -> None:
    job = harness.submit(flown.new(name="a", failures=9))
    assert harness.advance("1d") == 3
    failed = harness.get(job)
    assert failed.status is Status.FAILED
    assert failed.error is not None and failed.error.message == "attempt 3"
    with pytest.raises(AssertionError, match=r"(?s)job 1 flown \{.*: ValueError: .* in flown"):
        harness.assert_no_errors()
    harness.client.retry(job)
    assert harness.advance("1d") == 3


def test_delays_and_snoozes_pass_without_waiting(harness: Harness) -> None:
    late = harness.submit(flown.new(name="late"), delay="3h")
    snoozing = harness.submit(waits_for_itself.new())
    assert harness.advance("2h") == 3
    assert harness.get(snoozing).status is Status.DONE
    assert RAN == []
    harness.advance("1h")
    assert harness.get(late).finished_at == harness.now


def test_jobs_wait_for_jobs_and_read_their_results(harness: Harness) -> None:
    first = harness.submit(flown.new(name="a"))
    second = harness.submit(flown.new(name="b"), depends_on=[first])
    refused = harness.submit(flown.new(name="c", failures=9), max_retries=0)
    third = harness.submit(flown.new(name="d"), depends_on=[second, refused])
    assert harness.get(second).status is Status.BLOCKED
    harness.run_until_idle()
    result = harness.get(second).result
    assert result is not None
    assert result["before"] == [{"name": "a", "before": []}]
    assert harness.get(third).status is Status.CANCELLED


def test_children_are_submitted_and_can_be_asserted(harness: Harness) -> None:
    day = datetime(2026, 1, 31, tzinfo=UTC)
    harness.submit(landed.new(on=day))
    made = harness.assert_submitted(landed, on=day)
    assert made == harness.assert_submitted("landed") == harness.assert_submitted(landed)
    harness.assert_not_submitted(flown)
    harness.run_until_idle()
    assert harness.assert_submitted(flown, name="home").status is Status.DONE
    harness.assert_not_submitted(flown, name="away")
    with pytest.raises(
        AssertionError, match=r"no job flown with .*'away'.* was submitted; the jobs"
    ):
        harness.assert_submitted(flown, name="away")
    with pytest.raises(AssertionError, match="there are no jobs of this type"):
        harness.assert_submitted(endless)
    with pytest.raises(AssertionError, match="job 2 was submitted: flown"):
        harness.assert_not_submitted(flown)


def test_some_fields_are_looked_for_as_the_payload_has_them(harness: Harness) -> None:
    day = datetime(2026, 1, 31, tzinfo=UTC)
    harness.submit(visited.new(place=Place(2), on=day))
    harness.assert_submitted(visited, place=Place(2))
    harness.assert_submitted(visited, on=day)
    harness.assert_submitted("visited", place={"x": 2, "y": 0})
    with pytest.raises(AssertionError, match="job 1 was submitted"):
        harness.assert_not_submitted(visited, place=Place(2))
    harness.assert_not_submitted(visited, place=Place(3))


def test_schedules_queues_and_defaults_are_those_of_the_project(
    configured: Callable[[str], Harness],
) -> None:
    harness = configured(
        """
        [jobs]
        max_retries = 7
        [[schedules]]
        name = "nightly"
        cron = "30 3 * * *"
        type = "flown"
        payload = { name = "report" }
        [queues.slow]
        rate = "1/m"
        [queues.off]
        paused = true
        """
    )
    assert harness.advance("2d") == 2
    first, second = [one.created_at for one in harness.jobs(type="flown")][::-1]
    assert (first.hour, first.minute, second - first) == (3, 30, timedelta(days=1))
    assert [job.scheduled_at for job in harness.jobs(type="flown")] == [second, first]
    assert harness.submit(waits_for_itself.new()).max_retries == 7
    for _ in range(3):
        harness.submit(flown.new(name="slow"), queue="slow")
    harness.submit(flown.new(name="off"), queue="off")
    RAN.clear()
    harness.run_until_idle()
    assert RAN == ["slow"]
    harness.advance("121s")
    assert RAN == ["slow"] * 3


def test_commands_run(configured: Callable[[str], Harness]) -> None:
    harness = configured('[[commands]]\nname = "greet"\nargv = ["echo", "hello {who}"]\n')
    job = harness.submit("greet", {"who": "you"})
    harness.run_until_idle()
    assert harness.get(job).status is Status.DONE
    assert [line.line for line in harness.client.logs(job)] == ["hello you"]


def test_what_is_around_each_attempt_is_there(configured: Callable[[str], Harness]) -> None:
    harness = configured(f'[jobs]\naround = ["{__name__}:noted"]\n')
    harness.submit(flown.new(name="a"))
    harness.run_until_idle()
    assert RAN == ["before flown", "a", "after flown"]


def test_modules_of_the_project_are_imported_from_its_folder(
    configured: Callable[[str], Harness], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "jobs_of_this_project.py").write_text(
        "from orpheus import job\n\n@job\ndef from_a_module(n: int) -> int:\n    return n + 1\n"
    )
    harness = configured('[jobs]\nmodules = ["jobs_of_this_project"]\n')
    job = harness.submit("from_a_module", {"n": 1})
    harness.run_until_idle()
    assert harness.get(job).result == 2
    with pytest.raises(ModuleNotFoundError):
        Harness(modules=["a_module_that_is_not_there"])


def test_what_the_application_would_be_refused_is_refused(harness: Harness) -> None:
    with pytest.raises(InvalidJob, match="did you mean 'flown'"):
        harness.submit("flow")
    with pytest.raises(InvalidJob, match="payload"):
        harness.submit("flown", {"name": 7})
    with pytest.raises(NotFound):
        harness.get(7)
    with pytest.raises(ConfigurationError):
        Harness("no/such/file")


def test_a_wait_of_the_code_under_test_runs_the_jobs(harness: Harness) -> None:
    def application(client: Client) -> Any:
        return client.wait(client.submit(flown.new(name="a", failures=2), delay="7d")).result

    began = harness.now
    assert application(harness.client)["name"] == "a"
    assert harness.now - began == timedelta(days=7, seconds=40)
    blocked = harness.submit(flown.new(name="b"), queue="off")
    harness.client.cancel(blocked)
    assert harness.client.wait(blocked).status is Status.CANCELLED


def test_a_wait_for_what_never_comes_ends(configured: Callable[[str], Harness]) -> None:
    harness = configured("[queues.off]\npaused = true\n")
    stuck = harness.submit(flown.new(name="a"), queue="off")
    with pytest.raises(WaitTimedOut, match="cannot finish"):
        harness.client.wait(stuck)


def test_an_application_with_a_client_of_its_own_uses_the_store(harness: Harness) -> None:
    with Client(config=harness.config) as client:
        job = client.submit("flown", {"name": "app"})
    harness.advance("1s")
    assert harness.get(job).status is Status.DONE


def test_jobs_that_make_jobs_for_ever_are_stopped(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.testing.harness._MOST_ATTEMPTS", 20)
    harness.submit(endless.new())
    with pytest.raises(AssertionError, match="still busy after 20 attempts"):
        harness.run_until_idle()


def test_a_test_sees_what_is_hidden(harness: Harness) -> None:
    submitted = harness.submit(paid.new(card="4711"))
    harness.run_until_idle()
    harness.assert_submitted(paid, card="4711")
    assert harness.get(submitted).result == {"token": "4711"}
