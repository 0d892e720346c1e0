"""The tools that change something: first a dry run, then the same call with its `confirm`.

A `confirm` is a digest of the action, its arguments and the state that the dry run found, with a
key of this process. So it cannot be guessed, and it is refused once the state is another one.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import Field

from orpheus.mcp.api import Api, Conflict, Row, command_line, picked
from orpheus.mcp.looks import ErrorName, JobId, Name, Slot, Text, Where, queue_of
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.domain.limits import LONGEST_REASON

Reason = Annotated[
    str | None,
    Field(max_length=LONGEST_REASON, description="Why, for the audit log; needed with `confirm`."),
]
Confirm = Annotated[
    str | None,
    Field(max_length=100, description="What the dry run returned; without it, nothing changes."),
]
Result = Annotated[CallToolResult, Row]
Tool = Callable[..., Awaitable[CallToolResult]]

_STATUSES = {"retry": {Status.FAILED, Status.CANCELLED}, "cancel": LIVE}
_NO_STATUS = {"retry": Status.FAILED, "cancel": Status.PENDING}
"""Which jobs of a group are meant if no status is given."""
_SHOWN = 5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a call would do now."""

    action: str
    target: Row
    """The job, the filter, the queue or the slot."""
    state: Any
    """What must still be so when it is done."""
    would: str
    shown: Row
    """What a person should see before."""
    path: str
    body: Row = {}
    query: Row = {}
    command: str
    """What a person would type."""


class Changes:
    """What an assistant may change, if its token may."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._key = secrets.token_bytes(32)

    def of_jobs(self, action: str) -> Tool:
        """Return the tool that does it to a job or to a group."""

        async def change(
            id: JobId | None = None,
            type: Name | None = None,
            error: ErrorName | None = None,
            where: Where | None = None,
            queue: Name | None = None,
            status: Annotated[
                Status | None, Field(description=f"Of a group; default: {_NO_STATUS[action]}.")
            ] = None,
            reason: Reason = None,
            confirm: Confirm = None,
        ) -> Result:
            fields = {"type": type, "error": error, "where": where, "queue": queue}
            group = {n: v for n, v in {**fields, "status": status}.items() if v is not None}
            if (id is None) == (not group):
                raise ToolError("Give an id, or a group: type, error, where, queue or status.")

            async def plan() -> Plan:
                if id is not None:
                    return await self._of_job(action, id)
                return await self._of_group(action, {"status": _NO_STATUS[action], **group})

            return await self._perform(plan, reason, confirm)

        return change

    def of_queue(self, action: str) -> Tool:
        """Return the tool that does it to a queue."""

        async def change(queue: Name, reason: Reason = None, confirm: Confirm = None) -> Result:
            return await self._perform(lambda: self._of_queue(action, queue), reason, confirm)

        return change

    async def restart(
        self,
        slot: Slot,
        host: Text | None = None,
        reason: Reason = None,
        confirm: Confirm = None,
    ) -> Result:
        """Replace a process once its job is finished."""
        return await self._perform(lambda: self._of_slot(slot, host), reason, confirm)

    async def _of_job(self, action: str, id: int) -> Plan:
        job = await self._api.get(f"/jobs/{id}")
        if job["status"] not in _STATUSES[action]:
            raise ToolError(f"Job {id} is {job['status']}: {action} does not apply.")
        return Plan(
            action=action,
            target={"id": id},
            state=[job["status"], job["attempt"], job["finished_at"], job["cancel_requested"]],
            would=f"{action} job {id} ({job['type']}, {job['status']})",
            shown={"job": picked(job, "id type status queue attempt finished_at payload error")},
            path=f"/jobs/{id}/{action}",
            command=command_line(action, id),
        )

    async def _of_group(self, action: str, group: Row) -> Plan:
        if group["status"] not in _STATUSES[action]:
            raise ToolError(f"A job with status {group['status']}: {action} does not apply.")
        options = {name: group.get(name) for name in ("status", "type", "queue")}
        command, bulk = command_line("jobs", **options), {"action": action, "filter": group}
        counting = {**bulk, "dry_run": True}
        count = (await self._api.post("/jobs/bulk", counting, command=command))["changed"]
        if not count:
            raise ToolError(f"No job matches {group}: there is nothing to {action}.")
        newest = []
        if group.get("where") != "":  # an error without a place, for which GET /jobs has no words
            query = {**group, "limit": _SHOWN, "preview": "true"}
            newest = (await self._api.get("/jobs", **query))["items"]
        ids = [job["id"] for job in newest]
        max_id = max(ids, default=None)
        return Plan(
            action=action,
            target=group,
            state=[count, max_id],
            would=f"{action} {count} jobs",
            shown={"count": count, "filter": group, "newest_ids": ids},
            path="/jobs/bulk",
            body={**bulk, "expected_count": count, "max_id": max_id},
            command=command,
        )

    async def _of_queue(self, action: str, name: str) -> Plan:
        queue = await queue_of(self._api, name)
        now = "paused" if queue["paused"] else "not paused"
        return Plan(
            action=action,
            target={"queue": name},
            state=queue["paused"],
            would=f"{action} queue {name}, which is {now} and has {queue['due']} due jobs",
            shown=picked(queue, "paused due counts reason"),
            path=f"/queues/{name}/{action}",
            command=command_line(action, name),
        )

    async def _of_slot(self, slot: str, host: str | None) -> Plan:
        found = [
            worker
            for worker in (await self._api.get("/workers"))["items"]
            if worker["slot"] == slot and host in (None, worker["host"])
        ]
        if len(found) != 1:
            problem = "Several hosts have" if found else "There is no"
            raise ToolError(f"{problem} slot {slot}: `workers` lists them with their hosts.")
        [worker] = found
        return Plan(
            action="restart",
            target={"slot": slot, "host": worker["host"]},
            state=[worker["state"], worker["incarnation"]],
            would=f"restart {slot} on {worker['host']} ({worker['state']}) after its job",
            shown=picked(worker, "slot host state reason job uptime_s restarts"),
            path=f"/workers/{quote(slot)}/restart",
            query={"host": host},
            command=command_line("restart", slot, host=host),
        )

    async def _perform(
        self, planner: Callable[[], Awaitable[Plan]], reason: str | None, confirm: str | None
    ) -> CallToolResult:
        """Return the dry run, or do it if `confirm` is that of a dry run that still holds."""
        plan = await planner()
        if confirm is None:
            return _result(self._dry_run(plan))
        if not hmac.compare_digest(confirm.encode(), self._confirm(plan).encode()):
            return self._refused("It is not the confirm of this call, or the state changed.", plan)
        if not (reason and reason.strip()):
            raise ToolError("A reason is needed: say why in a sentence, for the audit log.")
        body = {**plan.body, "reason": reason}
        try:
            answer = await self._api.post(plan.path, body, command=plan.command, **plan.query)
        except Conflict as error:
            return self._refused(str(error), await planner())
        told = picked(answer, "changed id status cancel_requested name paused slot state reason")
        return _result(
            {"done": plan.would, "answer": told, "command": plan.command, "log": "orpheus audit"}
        )

    def _confirm(self, plan: Plan) -> str:
        content = msgspec.json.encode([plan.action, plan.target, plan.state], order="sorted")
        return hmac.digest(self._key, content, "sha256").hex()[:24]

    def _dry_run(self, plan: Plan) -> Row:
        return {
            "dry_run": True,
            "would": plan.would,
            **plan.shown,
            "confirm": self._confirm(plan),
            "next": "nothing has changed; the same call with confirm and a reason does it",
            "command": plan.command,
        }

    def _refused(self, why: str, plan: Plan) -> CallToolResult:
        refused = f"{why} Nothing was changed; this is the dry run of now."
        return _result({"refused": refused, **self._dry_run(plan)}, is_error=True)


def _result(answer: Row, *, is_error: bool = False) -> CallToolResult:
    text = TextContent(type="text", text=msgspec.json.encode(answer).decode())
    return CallToolResult(content=[text], structured_content=answer, is_error=is_error)
