"""orpheus.testing.run: one attempt with a context that records."""

import asyncio
import logging
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orpheus import Context, PermanentError, Snooze, job
from orpheus.client import JobError, JobRequest, Outcome
from orpheus.testing import run


@job
def told_owner(path: str, day: date | None = None) -> None: ...


@job(queue="media", permanent=(KeyError,))
def shrunk(ctx: Context, path: Path, width: int = 640) -> dict[str, Any]:
    ctx.log.info("shrinking", path=str(path))
    ctx.progress(0.5, "half way")
    ctx.progress(1)
    ctx.check_cancelled()
    ctx.enqueue(told_owner.new(path=str(path)))
    return {"width": width, "suffix": path.suffix, "queue": ctx.queue, "attempt": ctx.attempt}


@job
def moody(what: str) -> str:
    print("it is", what)  # noqa: T201 - what a job prints goes to its log
    sys.stderr.write("not good\n")
    logging.getLogger("shop").warning("beware")
    if what == "permanent":
        raise PermanentError("never")
    if what == "snooze":
        raise Snooze("5m")
    if what == "exit":
        sys.exit(3)
    raise ValueError(what)


@job
async def awaited(ctx: Context, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return f"attempt {ctx.attempt}"


@job
def timed(ctx: Context) -> str:
    return str(ctx.scheduled_at)


@job
def taking_part(ctx: Context) -> dict[str, Any]:
    error = ctx.attempt_error("other")
    return {
        "ref": ctx.results["first"],
        "type": ctx.results[told_owner],
        "error": error and error.message,
    }


@job
def making_many(ctx: Context) -> None:
    first = ctx.enqueue(told_owner.new(path="a"))
    ctx.enqueue(told_owner.new(path="b"), depends_on=[first])
    ctx.enqueue("of_a_module_that_is_not_here", {"n": 1}, delay="1h")


def test_an_attempt_records_everything() -> None:
    ran = run(shrunk, path="/shop/a.png")
    assert ran.result == {"width": 640, "suffix": ".png", "queue": "media", "attempt": 1}
    assert (ran.outcome, ran.error, ran.snoozed_s) == (Outcome.SUCCEEDED, None, 0)
    (line,) = ran.logs
    assert (line.level, line.line, line.fields) == ("info", "shrinking", {"path": "/shop/a.png"})
    assert ran.progress == ((0.5, "half way"), (1.0, None))
    assert ran.children == (told_owner.new(path="/shop/a.png"),)


def test_the_payload_goes_the_way_of_a_real_one() -> None:
    assert run(shrunk, Path("/b.gif"), width=7).result["suffix"] == ".gif"
    assert run(shrunk.new(path=Path("/c.gif")), attempt=4).result["attempt"] == 4
    with pytest.raises(TypeError, match="widht"):
        run(shrunk, path="a", widht=1)
    ran = run(JobRequest("shrunk", {"width": "wide"}))
    assert ran.is_permanent and ran.error is not None and "payload" in ran.error.message


@pytest.mark.parametrize(
    ("what", "outcome", "permanent", "error"),
    [
        ("permanent", Outcome.FAILED, True, ("PermanentError", "never")),
        ("anything", Outcome.FAILED, False, ("ValueError", "anything")),
        ("exit", Outcome.FAILED, False, ("SystemExit", "3")),
        ("snooze", Outcome.SNOOZED, False, None),
    ],
)
def test_what_is_raised_is_in_the_answer(
    what: str, outcome: Outcome, permanent: bool, error: tuple[str, str] | None
) -> None:
    ran = run(moody, what=what)
    assert (ran.outcome, ran.is_permanent, ran.result) == (outcome, permanent, None)
    assert (ran.error and (ran.error.type, ran.error.message)) == error
    assert ran.snoozed_s == (300 if what == "snooze" else 0)
    assert [(one.level, one.line) for one in ran.logs] == [
        ("info", f"it is {what}"),
        ("warning", "not good"),
        ("warning", "beware"),
    ]
    if isinstance(ran.error, JobError) and error:
        trace = str(ran.error.traceback)
        assert "in moody" in trace and "executor.py" not in trace


def test_a_job_that_fails_has_no_children_and_a_cancelled_one_stops() -> None:
    ran = run(shrunk.new(path=Path("/a.png")), cancelled=True)
    assert (ran.outcome, ran.children) == (Outcome.CANCELLED, ())
    assert len(ran.progress) == 2


def test_a_coroutine_runs_and_times_out_also_beside_a_running_loop() -> None:
    assert run(awaited, seconds=0).result == "attempt 1"
    assert run(awaited.new(seconds=60).with_options(timeout=0.01)).outcome is Outcome.TIMED_OUT

    async def test() -> Any:
        return run(awaited, seconds=0).result

    assert asyncio.run(test()) == "attempt 1"


def test_dependencies_are_what_the_test_says() -> None:
    ran = run(
        taking_part.new(), results={"first": [1], told_owner: "sent"}, errors={"other": "it broke"}
    )
    assert ran.result == {"ref": [1], "type": "sent", "error": "it broke"}


def test_children_are_as_they_were_made_and_keep_their_links() -> None:
    first, second, third = run(making_many).children
    assert (first.ref, second.depends_on) == ("child-1", ("child-1",))
    assert second == told_owner.new(path="b").with_options(depends_on=["child-1"])
    assert third == JobRequest("of_a_module_that_is_not_here", {"n": 1}, delay=3600.0)


def test_output_is_left_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = [*logging.getLogger().handlers]
    run(moody, what="x")
    sys.stdout.write("after\n")
    assert capsys.readouterr().out == "after\n"
    assert logging.getLogger().handlers == handlers


def test_the_time_of_the_schedule_is_what_the_test_says() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert run(timed.new(), scheduled_at=noon).result == "2026-03-01 12:00:00+00:00"
    assert run(timed).result == "None"
