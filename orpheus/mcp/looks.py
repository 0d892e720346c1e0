"""The tools that only read. Their docstrings are what an assistant knows of them."""

from typing import Annotated, Any
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from orpheus.mcp.api import Api, Row, command_line, fitting, listed, picked, short
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import LARGEST_ID

JobId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Slot = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$")]
Text = Annotated[str, Field(max_length=1_000)]
ErrorName = Annotated[str, Field(max_length=200, description="As `errors` has it.")]
Where = Annotated[str, Field(max_length=1_000, description="As `errors` has it; with `error`.")]

_LINES = 1_000
_LOG_PAGES = 50
_OF_A_JOB = (
    "id type status queue priority attempt max_retries progress message worker created_at run_at "
    "started_at finished_at unique_key concurrency_key depends_on tags cancel_requested payload "
    "result error"
)
_OF_A_SLOT = (
    "slot host pool state degraded silent reason pid job jobs_in_progress heartbeat_age_s "
    "cpu_percent rss_bytes uptime_s jobs_done restarts failed_lately"
)


class Looks:
    """What an assistant may look at."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def status(self) -> Row:
        """Show the whole system, and what needs a person with the command that may mend it."""
        stats = await self._api.get("/stats")
        fields = "code severity text command since acknowledged"
        concerns = [picked(concern, fields) for concern in stats["verdict"]["concerns"]]
        return {
            "headline": stats["verdict"]["headline"],
            **listed(concerns, "orpheus status"),
            "last_hour": stats["throughput"]["last_hour"],
            **picked(stats, "counts oldest_pending_s oldest_pending_queue wait_s run_s"),
            "command": "orpheus status",
        }

    async def why(self, name: Annotated[Name, Field(description="A job's id, or a queue.")]) -> Row:
        """Say why a job does not run, or failed, or why the next job of a queue does not start."""
        command = command_line("why", name)
        if not name.isdecimal():
            queue = await queue_of(self._api, name)
            found = picked(queue, "name paused due oldest_due_s reason")
            return {**found, "starts": queue["reason"] is None, "command": command}
        job = await self._api.get(f"/jobs/{name}")
        why = await self._api.get(f"/jobs/{name}/why")
        fields = "id type status queue attempt max_retries run_at finished_at error"
        return {"job": picked(job, fields), **picked(why, "runs reasons"), "command": command}

    async def jobs(
        self,
        status: Status | None = None,
        type: Name | None = None,
        queue: Name | None = None,
        tag: Name | None = None,
        q: Annotated[Text | None, Field(description="A text in type, payload or error.")] = None,
        error: ErrorName | None = None,
        where: Where | None = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
        cursor: Annotated[Text | None, Field(description="`next_cursor` of the last page.")] = None,
    ) -> Row:
        """List jobs, newest first, with the beginnings of their payloads and errors."""
        chosen = {"status": status, "type": type, "queue": queue, "tag": tag, "q": q}
        more = {"error": error, "where": where, "cursor": cursor}
        page = await self._api.get("/jobs", **chosen, **more, limit=limit, preview="true")
        fields = "id type status queue attempt created_at run_at finished_at worker payload error"
        found = listed([picked(job, fields) for job in page["items"]], "ask with a smaller limit")
        following = {} if "more" in found else picked(page, "next_cursor")
        return {
            **found,
            **following,
            "total": page["total"],
            "command": command_line("jobs", **chosen),
        }

    async def job(self, id: JobId) -> Row:
        """Show a job: its payload, result, error and last attempts."""
        job = await self._api.get(f"/jobs/{id}")
        fields = "number outcome worker started_at finished_at error"
        last = [picked(attempt, fields) for attempt in job["attempts"][-3:]]
        return {
            **picked(job, _OF_A_JOB),
            "last_attempts": last,
            "command": command_line("show", id),
        }

    async def logs(
        self, name: Annotated[Slot, Field(description="A job's id, or the slot of a program.")]
    ) -> Row:
        """Show the newest lines that a job, or a program, wrote; oldest first."""
        if name.isdecimal():
            rows = await self._newest_lines(f"/jobs/{name}/logs")
        else:
            rows = (await self._api.get(f"/programs/{quote(name)}/logs"))["items"]
        lines = fitting(_line(row) for row in reversed(rows))[::-1]
        command = command_line("logs", name)
        more = {"more": f"earlier lines: {command}"} if len(lines) < len(rows) else {}
        return {"lines": lines, **more, "command": command}

    async def _newest_lines(self, path: str) -> list[Row]:
        """Return the last lines of a job's log, which the API only pages forwards."""
        rows: list[Row] = []
        for _ in range(_LOG_PAGES):
            after = rows[-1]["id"] if rows else 0
            page = (await self._api.get(path, after=after, limit=_LINES))["items"]
            rows = (rows + page)[-_LINES:]
            if len(page) < _LINES:
                break
        return rows

    async def errors(self, type: Name | None = None) -> Row:
        """Count the jobs that are failed now by type, error and place in the code, largest first.

        `why` of the `newest` explains a group; `retry` takes its type, error and where.
        """
        fields = "type error count last_hour first_seen last_seen newest message"
        rows = [
            {**picked(group, fields), "where": group["where"] or ""}
            for group in (await self._api.get("/errors"))["items"]
            if type in (None, group["type"])
        ]
        return {**listed(rows, "ask for one type"), "command": "orpheus errors"}

    async def queues(self, name: Name | None = None) -> Row:
        """List queues: jobs by status, limits, who serves them, and why one starts none."""
        fields = (
            "name paused counts due oldest_due_s in_per_minute out_per_minute limits pools reason "
            "empty_in_s"
        )
        queues = (await self._api.get("/queues", name=name))["items"]
        rows = [picked(queue, fields) for queue in queues]
        return {**listed(rows, "ask for one name"), "command": "orpheus queues"}

    async def workers(self, slot: Slot | None = None) -> Row:
        """List processes: state, job, resource use; with `slot`, also how its last ones ended."""
        fields = f"{_OF_A_SLOT} recent_exits" if slot else _OF_A_SLOT
        rows = [
            picked({**worker, "recent_exits": worker["recent_exits"][:2]}, fields)
            for worker in (await self._api.get("/workers"))["items"]
            if slot in (None, worker["slot"])
        ]
        command = command_line("workers", *([slot] if slot else []))
        return {**listed(rows, "ask for one slot"), "command": command}

    async def stack(self, slot: Slot, host: Text | None = None) -> Row:
        """Show what the code of a running process does now; what runs the job comes first."""
        found = await self._api.get(f"/workers/{quote(slot)}/stack", host=host)
        lines = fitting(found["stack"].splitlines())
        command = command_line("stack", slot, host=host)
        return {**picked(found, "slot pid at job"), "stack": "\n".join(lines), "command": command}

    async def schedules(self) -> Row:
        """List schedules: when each runs, its last job and what became of it."""
        fields = "name type in_words timezone queue paused last_run last_job last_result missed"
        rows = [
            {**picked(schedule, fields), "next_runs": schedule["next_runs"][:2]}
            for schedule in (await self._api.get("/schedules"))["items"]
        ]
        return {**listed(rows, "orpheus schedules"), "command": "orpheus schedules"}


async def queue_of(api: Api, name: str) -> Row:
    """Return a queue. Raises ToolError if there is none of that name."""
    found: list[Row] = (await api.get("/queues", name=name))["items"]
    if not found:
        raise ToolError(f"There is no queue {name}: `queues` lists them.")
    return found[0]


def _line(row: dict[str, Any]) -> str:
    """Return a line of a job's log or of a program's output."""
    fields = f" {short(row['fields'], 'fields')}" if row.get("fields") else ""
    head = f"#{row['attempt']} {row['level']}" if "attempt" in row else row["stream"]
    return f"{row['at']} {head} {short(row['line'])}{fields}"
