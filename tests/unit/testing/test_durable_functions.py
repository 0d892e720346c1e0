"""Durable functions, as their authors write and test them (docs/durable.md)."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orpheus import AsyncContext, ChildFailed, Context, PermanentError, SignalTimeout, job
from orpheus.client import Status
from orpheus.shared.domain.steps import NewSignal
from orpheus.testing import Harness, run

DID: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_was_done() -> None:
    DID.clear()


def did(what: Any) -> Any:
    DID.append(what)
    return what


@job(max_retries=0)
def mail(to: str) -> str:
    if to == "nobody":
        raise ValueError("no such address")
    return f"sent to {did(to)}"


def pages() -> Iterator[int]:
    for page in range(4):
        DID.append(f"read {page}")
        yield page


@job(max_retries=1, backoff_base=0)
def onboard(ctx: Context, user: int) -> dict[str, Any]:
    """The function of the guide; the first attempt of each part fails once."""
    account = ctx.step("create account", did, f"account {user}")
    ctx.sleep("cool down", "1d")
    decision = ctx.wait_signal("approval", key=user, timeout="7d")
    mails = ctx.gather("mails", [mail.new(to=to) for to in decision["to"]])
    for page in ctx.resume("import", pages()):
        ctx.step("load", did, f"load {page}")
        if page == 2 and "failed" not in DID:
            did("failed")
            raise ValueError("the page is not there yet")
    ctx.signal("onboarded", user, {"account": account})
    return {"mails": mails, "closed": ctx.step("close", did, "close")}


@job
async def onboard_later(ctx: AsyncContext, user: int) -> list[Any]:
    await ctx.step("create account", did, f"account {user}")
    await ctx.sleep("cool down", "1d")
    with contextlib.suppress(SignalTimeout):
        await ctx.wait_signal("approval", key=user, timeout="7d")
    mails = await ctx.gather(
        "mails", [mail.new(to="ada"), mail.new(to="nobody")], return_errors=True
    )
    async for page in ctx.resume("import", pages()):
        await ctx.step("load", did, page)
        if page == 1:
            break
    await ctx.step("load", did, "after the loop")
    return [mail if isinstance(mail, str) else type(mail).__name__ for mail in mails]


def send(orpheus: Harness, name: str, key: str, payload: str) -> None:
    orpheus._store.signals.send(NewSignal(name, key, payload))


def test_a_function_reads_from_top_to_bottom_and_does_everything_once(orpheus: Harness) -> None:
    sent = orpheus.submit(onboard.new(user=7))
    orpheus.run_until_idle()
    assert orpheus.get(sent).status is Status.PENDING
    orpheus.advance("1d")
    assert orpheus.get(sent).status is Status.BLOCKED
    send(orpheus, "approval", "7", '{"to": ["ada", "bob"]}')
    orpheus.advance("1m")
    done = orpheus.get(sent)
    assert done.result == {"mails": ["sent to ada", "sent to bob"], "closed": "close"}
    once = [what for what in DID if not what.startswith("read") and what != "failed"]
    loads = [f"load {page}" for page in range(4)]
    assert once == ["account 7", "ada", "bob", *loads, "close"]
    kept = [step.name for step in orpheus.client.steps(sent)]
    assert kept == ["create account", "cool down", "approval", "mails", "import", "close"]
    signal = orpheus._store.signals.find("onboarded", "7")
    assert signal is not None
    assert signal.payload == '{"account":"account 7"}'
    assert orpheus._store.maintenance.verify() == []


def test_an_async_function_has_the_same(orpheus: Harness) -> None:
    sent = orpheus.submit(onboard_later.new(user=7))
    orpheus.advance("9d")
    assert orpheus.get(sent).result == ["sent to ada", "ChildFailed"]
    once = [what for what in DID if not str(what).startswith("read")]
    assert once == ["account 7", "ada", 0, 1, "after the loop"]


@job(max_retries=1, backoff_base=0)
def cursor_by_value(ctx: Context) -> list[int]:
    def after(last: int | None) -> Iterator[int]:
        return iter(range(0 if last is None else last + 10, 40, 10))

    for n in ctx.resume("import", after):
        did(n)
        if n == 20 and ctx.attempt == 1:
            raise ValueError("again")
    return DID


def test_a_cursor_may_go_on_from_its_last_item(orpheus: Harness) -> None:
    sent = orpheus.submit(cursor_by_value.new())
    orpheus.advance("1m")
    assert orpheus.get(sent).result == [0, 10, 20, 20, 30]


@job(max_retries=0)
def sends_when_mended() -> str:
    if "mended" not in DID:
        raise ValueError("not yet")
    return "sent"


@job(max_retries=3, backoff_base=0)
def refunds(ctx: Context) -> Any:
    try:
        (how,) = ctx.gather("mails", [sends_when_mended.new()])
    except ChildFailed as error:
        how = ctx.step("refund", did, f"refund for {error.type}")
    ctx.sleep("rest", "1h")
    return how


def test_a_function_that_went_on_without_a_child_does_not_change_its_mind(
    orpheus: Harness,
) -> None:
    sent = orpheus.submit(refunds.new())
    orpheus.run_until_idle()
    (child,) = orpheus.jobs(type="sends_when_mended")
    did("mended")
    orpheus.client.retry(child.id)
    orpheus.advance("2h")
    assert orpheus.get(child).result == "sent"
    assert orpheus.get(sent).result == "refund for sends_when_mended"


@job
def locked(ctx: Context) -> list[Any]:
    with contextlib.ExitStack() as stack:
        ctx.step("lock", did, "lock")
        stack.callback(lambda: ctx.step("unlock", did, "unlock"))
        try:
            ctx.sleep("rest", "1h")
            ctx.step("work", did, "work")
        finally:
            ctx.step("tidy", did, "tidy")
    return DID


def test_a_step_of_a_clean_up_belongs_to_the_end_and_not_to_the_wait(orpheus: Harness) -> None:
    sent = orpheus.submit(locked.new())
    orpheus.advance("2h")
    assert orpheus.get(sent).result == ["lock", "work", "tidy", "unlock"]


@job(max_retries=1, backoff_base=0)
async def beside_each_other(ctx: AsyncContext) -> list[Any]:
    is_inside = asyncio.Event()

    async def items(name: str) -> None:
        async for n in ctx.resume(name, [1, 2]):
            is_inside.set()
            await ctx.step("load", did, f"{name} {n}")
        is_inside.set()

    async def other() -> None:
        await is_inside.wait()
        await ctx.step("side", did, "side")

    await asyncio.gather(items("a"), other(), items("b"))
    if ctx.attempt == 1:
        raise ValueError("again")
    return sorted(DID)


def test_a_step_beside_a_cursor_does_not_belong_to_its_item(orpheus: Harness) -> None:
    sent = orpheus.submit(beside_each_other.new())
    orpheus.advance("1m")
    assert orpheus.get(sent).result == ["a 1", "a 2", "b 1", "b 2", "side"]


@job
async def same_names(ctx: AsyncContext, in_tasks: bool) -> list[Any]:
    async def one(n: int) -> Any:
        return await ctx.step("fetch", did, n)

    if in_tasks:
        return list(await asyncio.gather(one(0), one(1)))
    return list(await asyncio.gather(*(ctx.step("fetch", did, n) for n in range(3))))


def test_tasks_must_give_their_steps_names_of_their_own() -> None:
    assert run(same_names.new(in_tasks=False)).result == [0, 1, 2]
    refused = run(same_names.new(in_tasks=True))
    assert refused.error is not None
    assert "'fetch' was asked for by two tasks" in refused.error.message


@job(max_retries=1, backoff_base=0)
def shrinking(ctx: Context, first: list[int], then: list[int]) -> list[Any]:
    items = first if ctx.attempt == 1 else then
    for n in ctx.resume("items", items if len(first) % 2 else iter(items)):
        if did(n) == 3 and ctx.attempt == 1:
            raise ValueError("again")
    return DID


@pytest.mark.parametrize("first", [[1, 2, 3], [1, 2, 3, 4]], ids=["list", "iterator"])
@pytest.mark.parametrize("then", [[3], [9, 1, 2, 3]], ids=["fewer", "others"])
def test_a_cursor_is_told_of_items_that_have_changed(
    orpheus: Harness, first: list[int], then: list[int]
) -> None:
    sent = orpheus.submit(shrinking.new(first=first, then=then))
    orpheus.advance("1m")
    failed = orpheus.get(sent)
    assert failed.error is not None
    assert "resume 'items': 2 items are done, but the items have changed" in failed.error.message
    assert DID == [1, 2, 3]


# One attempt, without a database


def test_one_attempt_is_run_with_what_earlier_ones_kept() -> None:
    first = run(onboard.new(user=3))
    assert (first.waits_for, first.steps) == ("cool down", {"create account": "account 3"})
    DID.append("failed")
    last = run(
        onboard.new(user=3),
        steps={"create account": "kept"},
        slept=["cool down"],
        signals={("approval", "3"): {"to": ["q"]}},
        gathered={"mails": ["sent"]},
    )
    assert last.result == {"mails": ["sent"], "closed": "close"}
    assert last.signals == {("onboarded", "3"): {"account": "kept"}}
    assert DID.count("account 3") == 1


@job
def misused(ctx: Context, how: str) -> Any:
    def waits_in_a_thread() -> None:
        failures: list[BaseException] = []

        def wait() -> None:
            try:
                ctx.sleep("rest", "1h")
            except BaseException as error:  # noqa: BLE001 - whatever it is
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
        raise failures[0]

    def catches_everything() -> None:
        with contextlib.suppress(BaseException):
            ctx.sleep("rest", "1h")

    ways: dict[str, Any] = {
        "a step in a step": lambda: ctx.step("outer", lambda: ctx.step("inner", did, 1)),
        "no JSON": lambda: ctx.step("charge", object),
        "too long": lambda: ctx.step("n" * 201, did, 1),
        "too large": lambda: ctx.step("charge", lambda: "x" * 2_000_000),
        "a thread": waits_in_a_thread,
        "caught": catches_everything,
        "another kind": lambda: ctx.sleep("kept", "1h"),
        "no duration": lambda: ctx.sleep("rest", "soon"),
        "no key": lambda: ctx.wait_signal("approval", key=""),
        "a large signal": lambda: ctx.signal("approval", 1, "x" * 2_000_000),
        "no job": lambda: ctx.gather("mails", ["mail"]),  # type: ignore[list-item]
        "a coroutine": lambda: ctx.step("charge", coroutine),
        "a number": lambda: ctx.step("charge#2", did, 1),
        "an item": lambda: ctx.step("pages[0] load", did, 1),
    }
    return ways[how]()


async def coroutine() -> None: ...


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("a step in a step", "'inner' was asked for inside the step 'outer'"),
        ("no JSON", "step 'charge': the result is not JSON"),
        ("too long", "at most 200 characters"),
        ("too large", "step 'charge': the result is 2,000,002 bytes"),
        ("a thread", "a thread that the job started cannot wait"),
        ("caught", "the function continued although it waits for 'rest'"),
        ("another kind", "'kept' was kept as a step"),
        ("no duration", "'rest': 'soon' is not a duration"),
        ("no key", "must be a text of 1 to 255 characters"),
        ("a large signal", "the payload is 2,000,002 bytes"),
        ("no job", "gather 'mails'"),
        ("a coroutine", "step 'charge'"),
        ("a number", "is reserved"),
        ("an item", "is reserved"),
    ],
)
def test_what_cannot_work_fails_at_once_and_says_why(how: str, why: str) -> None:
    ran = run(misused.new(how=how), steps={"kept": 1})
    assert ran.error is not None
    assert ran.is_permanent
    assert why in ran.error.message


@job
def twice(ctx: Context) -> list[Any]:
    keys = [ctx.idempotency_key("charge")]
    ctx.step("charge", lambda: keys.append(ctx.idempotency_key("charge")))
    ctx.step("charge", did, 2)
    return [keys[0] == keys[1], ctx.idempotency_key("charge") == keys[0]]


def test_two_steps_of_one_name_are_numbered_and_have_keys_of_their_own() -> None:
    ran = run(twice.new())
    assert list(ran.steps) == ["charge", "charge#2"]
    assert ran.result == [True, False]


@job
def too_many(ctx: Context) -> None:
    ctx.step("one more", did, 1)


def test_a_job_keeps_so_many_steps_at_most() -> None:
    ran = run(too_many.new(), steps={f"step {n}": n for n in range(10_000)})
    assert ran.error is not None
    assert ran.error.type == PermanentError.__name__
    assert "at most 10,000 steps" in ran.error.message
