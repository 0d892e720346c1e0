"""`orpheus mcp` against the API, with the client of the package `mcp`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from orpheus.api.http.auth import Key
from orpheus.mcp.server import make_server
from orpheus.shared.domain import access
from orpheus.shared.domain.jobs import JobError, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState
from tests.audit_log import entries_of

TRACE = 'Traceback (most recent call last):\n  File "/app/jobs.py", line 12, in resize\n'
TOKEN = "t" * 40
MOST_BYTES = 12_000
LONG = "x" * 20_000


def fail(api: Any, trace: str | None = TRACE, message: str = "no such file") -> int:
    job_id: int = api.submit()
    (lease,) = api.lease()
    error = JobError("ValueError", message, trace)
    api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    return job_id


def calls(api: Any, *wanted: tuple[str, dict[str, Any]], token: str | None = None) -> Any:
    """Call tools one after the other, in one session; what they return."""

    async def session() -> list[CallToolResult]:
        async with Client(make_server(f"http://127.0.0.1:{api.port}", token)) as client:
            return [await client.call_tool(name, arguments) for name, arguments in wanted]

    return asyncio.run(session())


def text(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if part.type == "text")


def good(result: CallToolResult) -> Any:
    assert not result.is_error, text(result)
    assert len(text(result).encode()) < MOST_BYTES
    return result.structured_content


def look(api: Any, tool: str, /, **arguments: Any) -> Any:
    return good(*calls(api, (tool, arguments)))


def refused(result: CallToolResult) -> str:
    assert result.is_error, text(result)
    return text(result)


def two_steps(
    api: Any,
    name: str,
    between: Callable[[], object] = lambda: None,
    token: str | None = None,
    **arguments: Any,
) -> tuple[Any, CallToolResult]:
    """A dry run, then the same call with its confirm and a reason."""

    async def session() -> tuple[Any, CallToolResult]:
        async with Client(make_server(f"http://127.0.0.1:{api.port}", token)) as client:
            planned = good(await client.call_tool(name, arguments))
            between()
            again = {**arguments, "confirm": planned["confirm"], "reason": "the disk is back"}
            return planned, await client.call_tool(name, again)

    return asyncio.run(session())


def statuses(api: Any, *ids: int) -> list[str]:
    return [api.client.get(f"/jobs/{id}").json()["status"] for id in ids]


def test_a_failing_type_is_found_explained_and_retried_after_a_confirmation(api: Any) -> None:
    first, second, other = fail(api), fail(api), fail(api, None)

    async def session() -> None:
        async with Client(make_server(f"http://127.0.0.1:{api.port}", None)) as client:
            assert "dry runs" in (client.instructions or "")
            errors = good(await client.call_tool("errors", {}))
            group = errors["items"][0]
            assert (group["count"], group["newest"]) == (2, second)
            assert errors["command"] == "orpheus errors"
            why = good(await client.call_tool("why", {"name": str(group["newest"])}))
            assert why["job"]["error"]["message"] == "no such file"
            assert [reason["code"] for reason in why["reasons"]] == ["ended"]
            assert why["command"] == f"orpheus why {second}"
            asked = {name: group[name] for name in ("type", "error", "where")}
            planned = good(await client.call_tool("retry", asked))
            assert planned["dry_run"]
            assert (planned["would"], planned["newest_ids"]) == ("retry 2 jobs", [second, first])
            assert statuses(api, first, second) == ["failed", "failed"]
            again = {**asked, "confirm": planned["confirm"], "reason": "the disk is back"}
            done = good(await client.call_tool("retry", again))
            assert done["answer"] == {"changed": 2}

    asyncio.run(session())
    assert statuses(api, first, second, other) == ["pending", "pending", "failed"]
    entry = api.client.get("/audit").json()["items"][0]
    assert (entry["action"], entry["reason"]) == ("retry", "the disk is back")


@pytest.mark.parametrize("name", ["retry", "cancel"])
def test_one_job_is_changed_after_a_dry_run(api: Any, name: str) -> None:
    job_id = fail(api) if name == "retry" else api.submit()
    planned, done = two_steps(api, name, id=job_id)
    assert planned["command"] == f"orpheus {name} {job_id}"
    assert good(done)["answer"]["status"] == {"retry": "pending", "cancel": "cancelled"}[name]


def test_a_stale_confirm_is_refused_with_the_dry_run_of_now(api: Any) -> None:
    fail(api)
    planned, stale = two_steps(api, "retry", lambda: fail(api), type="add")
    assert "Nothing was changed" in refused(stale)
    assert planned["count"] == 1
    assert stale.structured_content is not None
    assert stale.structured_content["count"] == 2
    assert stale.structured_content["confirm"] != planned["confirm"]
    assert statuses(api, 1, 2) == ["failed", "failed"]


def test_an_error_without_a_place_is_a_group_too(api: Any) -> None:
    fail(api)
    mine = fail(api, None)
    _, done = two_steps(api, "retry", type="add", error="ValueError", where="")
    assert good(done)["answer"] == {"changed": 1}
    assert statuses(api, 1, mine) == ["failed", "pending"]


def test_a_confirm_is_of_one_call_and_needs_a_reason(api: Any) -> None:
    mine, other = fail(api), api.submit(queue="mail")

    async def session() -> None:
        async with Client(make_server(f"http://127.0.0.1:{api.port}", None)) as client:

            async def call(name: str, **arguments: Any) -> CallToolResult:
                return await client.call_tool(name, arguments)

            confirm = good(await call("retry", id=mine))["confirm"]
            assert "reason is needed" in refused(await call("retry", id=mine, confirm=confirm))
            for name, target in (("cancel", {"id": other}), ("pause", {"queue": "mail"})):
                wrong = await call(name, **target, confirm=confirm, reason="because")
                assert "not the confirm of this call" in refused(wrong)

    asyncio.run(session())
    assert statuses(api, mine, other) == ["failed", "pending"]
    assert api.client.get("/audit").json()["items"] == []


def test_what_would_change_more_than_was_meant_is_refused(api: Any) -> None:
    done = api.submit()
    api.finish(api.lease()[0])
    results = calls(
        api,
        ("retry", {}),
        ("retry", {"id": done, "type": "add"}),
        ("retry", {"id": done}),
        ("retry", {"type": "add", "locaton": "jobs.py:12 in resize"}),
        ("retry", {"type": "add", "where": "jobs.py:12 in resize"}),
        ("retry", {"status": "done"}),
        ("cancel", {"type": "add"}),
        ("pause", {"queue": "mial"}),
        ("pause", {"queue": "../stats"}),
        ("restart", {"slot": "default-9"}),
    )
    told = [refused(result).removeprefix("Error executing tool ") for result in results]
    expected = (
        "Give an id, or a group",
        "Give an id, or a group",
        f"Job {done} is done",
        "retry has no argument locaton",
        "/where",
        "A job with status done",
        "No job matches",
        "There is no queue mial",
        "String should match",
        "There is no slot default-9",
    )
    for text_told, part in zip(told, expected, strict=True):
        assert part in text_told


def test_queues_are_paused_and_resumed(api: Any) -> None:
    api.submit(queue="mail")
    planned, done = two_steps(api, "pause", queue="mail")
    assert "is not paused and has 1 due jobs" in planned["would"]
    assert good(done)["answer"]["paused"]["reason"] == "the disk is back"
    why = look(api, "why", name="mail")
    assert (why["reason"]["code"], why["command"]) == ("queue_paused", "orpheus why mail")
    assert "paused" not in good(two_steps(api, "resume", queue="mail")[1])["answer"]


def test_a_slot_is_restarted(api: Any) -> None:
    api.process("supervisor", Role.SUPERVISOR, pid=99)
    api.process("default-1")
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY)])
    planned, done = two_steps(api, "restart", slot="default-1")
    assert planned["command"] == "orpheus restart default-1"
    assert good(done)["answer"]["slot"] == "default-1"
    [request] = api.store.supervision.take_requests("host-1")
    assert request.target == "default-1"


def test_answers_are_short_and_say_how_to_see_more(api: Any) -> None:
    for number in range(12):
        fail(api, f'  File "/app/jobs.py", line {number + 1}, in resize\n' + LONG, LONG)
    job_id = api.submit(payload={"text": LONG})
    (lease,) = api.lease()
    lines = [NewLine(number, "info", f"{number} {LONG}", "{}") for number in range(1, 40)]
    api.store.logs.append(job_id, lease.token, 1, lines)
    errors = look(api, "errors")
    assert errors["more"].endswith("ask for one type")
    page = look(api, "jobs", status="failed", limit=50)
    assert page["more"].endswith("ask with a smaller limit")
    page = look(api, "jobs", status="failed", limit=2)
    assert page["command"] == "orpheus jobs --status failed"
    assert look(api, "jobs", cursor=page["next_cursor"])["items"][0]["id"] == 10
    assert "more characters" in look(api, "job", id=job_id)["payload"]
    logs = look(api, "logs", name=str(job_id))
    assert logs["more"] == f"earlier lines: orpheus logs {job_id}"
    assert logs["lines"][-1].split(" ", 3)[1:3] == ["#1", "info"]
    assert logs["lines"][-1].split(" ", 4)[3] == "39"
    assert look(api, "job", id=1)["error"]["traceback"].startswith("…")


def test_the_system_is_shown_with_the_commands_of_a_person(api: Any) -> None:
    api.submit(queue="mail")
    api.process("supervisor", Role.SUPERVISOR, pid=99)
    api.store.processes.put_slots([api.slot("default-1", SlotState.FATAL)])
    status = look(api, "status")
    assert status["counts"]["pending"] == 1
    assert status["items"][0]["command"].startswith("orpheus")
    assert look(api, "queues", name="mail")["items"][0]["due"] == 1
    assert "default-1" in [row["slot"] for row in look(api, "workers")["items"]]
    assert look(api, "workers", slot="default-1")["items"][0]["state"] == "fatal"
    assert look(api, "schedules") == {"items": [], "command": "orpheus schedules"}
    [stack, logs] = calls(api, ("stack", {"slot": "default-2"}), ("logs", {"name": "web-1"}))
    assert "default-2" in refused(stack)
    assert "web-1" in refused(logs)


def test_only_tools_that_change_something_are_no_reads(api: Any) -> None:
    async def tools() -> dict[str, bool]:
        async with Client(make_server(f"http://127.0.0.1:{api.port}", None)) as client:
            found = (await client.list_tools()).tools
            return {t.name: bool(t.annotations and t.annotations.read_only_hint) for t in found}

    found = asyncio.run(tools())
    changes = {"retry", "cancel", "pause", "resume", "restart"}
    assert {name for name, reads in found.items() if not reads} == changes
    assert len(found) == 15


def test_a_token_that_may_only_look_is_told_so(start: Callable[..., Any]) -> None:
    api = start(read_only=True)
    api.store.queues.pause("mail")
    _, denied = two_steps(api, "resume", queue="mail")
    assert "This token may not do that" in refused(denied)
    assert "For a person who may: orpheus resume mail" in refused(denied)


def test_an_assistant_may_do_what_the_role_of_its_token_may(start: Callable[..., Any]) -> None:
    viewer, operator = "v" * 32, "o" * 32
    mail = access.Scope(("mail",))
    api = start(
        token=[
            Key((viewer,), access.Role.VIEWER, name="eye"),
            Key((operator,), access.Role.OPERATOR, mail, "hand"),
        ]
    )
    api.store.queues.pause("mail")
    _, denied = two_steps(api, "resume", token=viewer, queue="mail")
    assert "This token may not do that" in refused(denied)
    _, done = two_steps(api, "resume", token=operator, queue="mail")
    good(done)
    assert not api.store.queues.is_paused_to_change("mail")
    (entry,) = entries_of(api.store, 9)
    assert (entry.action, entry.by) == ("resume", "api:hand@127.0.0.1")
    assert refused(*calls(api, ("workers", {}), token=operator))


def test_the_token_is_sent(start: Callable[..., Any]) -> None:
    api = start(token=TOKEN)
    assert "--token-file or ORPHEUS_TOKEN" in refused(*calls(api, ("status", {})))
    assert good(*calls(api, ("status", {}), token=TOKEN))["headline"]


def test_a_large_call_is_refused(api: Any) -> None:
    payload = "x" * 10_000_000
    [result] = calls(api, ("retry", {"id": 1, "reason": payload}))
    assert refused(result) == "The call is too large: at most 100000 characters."


def test_an_api_that_does_not_answer_is_named(api: Any) -> None:
    api.stop()
    assert f"127.0.0.1:{api.port} does not answer" in refused(*calls(api, ("status", {})))


def test_the_command_speaks_the_protocol_on_standard_streams(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    api, file = start(token=TOKEN), tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    argv = ["-m", "orpheus", "mcp", "--url", f"http://127.0.0.1:{api.port}"]
    argv += ["--token-file", str(file)]

    async def session() -> tuple[CallToolResult, ...]:
        async with Client(StdioServerParameters(command=sys.executable, args=argv)) as client:
            large = await client.call_tool("retry", {"id": 1, "reason": "x" * 10_000_000})
            return await client.call_tool("status", {}), large

    status, large = asyncio.run(session())
    assert good(status)["command"] == "orpheus status"
    assert "too large" in refused(large)
