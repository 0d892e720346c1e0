"""`OrpheusBackend`: each task becomes a job, whose type is the task's module path.

A task's id is the id of its job. In an outbox a job has no id yet: there the id of the task is a
random text, which the job has in its payload and as a tag.
"""

import dataclasses
import inspect
import json
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string
from msgspec.structs import replace

from orpheus import Job, outbox
from orpheus.client import InvalidJob, JobError, JobRequest, NotFound, Status
from orpheus.client.blocking import Client
from orpheus.config.sources import read_sources
from orpheus.django.compat import (
    BaseTaskBackend,
    InvalidTask,
    InvalidTaskBackend,
    Task,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
)
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.outbox.table import DEFAULT_TABLE, quoted

OPTIONS = {"CONFIG", "URL", "TOKEN", "DATABASE", "OUTBOX", "MAX_RETRIES", "TIMEOUT", "DASHBOARD"}
_STATUSES = {
    Status.BLOCKED: TaskResultStatus.READY,
    Status.PENDING: TaskResultStatus.READY,
    Status.IN_PROGRESS: TaskResultStatus.RUNNING,
    Status.DONE: TaskResultStatus.SUCCESSFUL,
    Status.FAILED: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrpheusTask(Task):
    """A task with what its job type may say: `@task(max_retries=5, timeout="30s")`.

    None: what OPTIONS says, else `[jobs]`. The decorator of Django 6.0 passes neither on.
    """

    max_retries: int | None = None
    timeout: str | float | None = None


class OrpheusBackend(BaseTaskBackend):
    """Stores tasks as jobs, which the workers of Orpheus run. docs/django.md has its OPTIONS."""

    task_class = OrpheusTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        """Read the options. Raises InvalidTaskBackend for an unknown one."""
        super().__init__(alias, params)
        if unknown := sorted(self.options.keys() - OPTIONS):
            raise InvalidTaskBackend(
                f"TASKS[{alias!r}]: OPTIONS has no {', '.join(unknown)}: "
                f"it may have {', '.join(sorted(OPTIONS))}"
            )

    @property
    def client(self) -> Client:
        """The client with which this process reads jobs, and submits them outside of DATABASE."""
        config, url, token = map(self.options.get, ("CONFIG", "URL", "TOKEN"))
        return _client(config and str(config), url, token)

    def validate_task(self, task: Any) -> None:
        """Raise InvalidTask for a task that cannot be a job type, or that Django refuses."""
        super().validate_task(task)
        if not NAME.fullmatch(task.module_path):
            raise InvalidTask(f"{task.module_path!r} cannot name a job type: it {NAME_RULE}")

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Submit the job of a task, and return its result.

        Raises InvalidTask for a task that the workers do not know, TypeError for arguments that its
        function does not take, TypeError or ValueError for arguments that are not JSON, and
        OrpheusError if the job cannot be stored.
        """
        self.validate_task(task)
        _check_arguments(task, args, kwargs)
        result = self.new_result(task, list(args), dict(kwargs))
        run_at = task.run_after
        if run_at is not None and timezone.is_naive(run_at):
            run_at = timezone.make_aware(run_at)
        request = JobRequest(
            task.module_path,
            {"args": result.args, "kwargs": result.kwargs},
            queue=task.queue_name,
            priority=task.priority,
            run_at=run_at,
        )
        try:
            task_id, enqueued_at = self._submit(request)
        except InvalidJob as refused:
            if all(problem.pointer != "/type" for problem in refused.problems):
                raise
            raise InvalidTask(
                f"{task.module_path}: the workers do not know this task. They find tasks in "
                "the module `tasks` of each installed app. If it is there, start or reload "
                "`manage.py orpheus` with this code first"
            ) from refused
        filled(result, id=task_id, enqueued_at=_local(enqueued_at))
        task_enqueued.send(type(self), task_result=result)
        return result

    def _submit(self, request: JobRequest) -> tuple[str, datetime | None]:
        """Submit the job, in the transaction of DATABASE if that is set; return id and time."""
        if "DATABASE" not in self.options:
            job = self.client.submit(request)
            return str(job.id), job.created_at
        connection = connections[self.options["DATABASE"]]
        if self._outbox_table is not None:
            task_id = uuid.uuid4().hex
            payload = {**request.payload, "task_id": task_id}
            request = replace(request, payload=payload, tags=(task_id,))
            outbox.add(connection, request, table=self._outbox_table)
            return task_id, timezone.now()
        job = Client(connection=connection, config=self.options.get("CONFIG")).submit(request)
        return str(job.id), job.created_at

    @property
    def _outbox_table(self) -> str | None:
        """The outbox of DATABASE; None if Orpheus itself has its tables there."""
        if "DATABASE" not in self.options:
            return None
        is_needed = connections[self.options["DATABASE"]].vendor != "postgresql"
        table: str | None = self.options.get("OUTBOX", DEFAULT_TABLE if is_needed else None)
        return table

    def trouble_of_outbox(self) -> str:
        """Return why tasks would stay in the outbox, and the lines to add; empty: they do not.

        The table must be named in the configuration, if that is on this machine.
        """
        table = self._outbox_table
        if table is None or "URL" in self.options:
            return ""
        config = self.options.get("CONFIG")
        sources = read_sources(config and Path(config), (), os.environ)
        outboxes = sources.merged().get("outboxes", [])
        if sources.problems or not isinstance(outboxes, list):
            return ""  # each use of the configuration reports them
        entries = (entry for entry in outboxes if isinstance(entry, dict))
        if any(entry.get("table", DEFAULT_TABLE) == table for entry in entries):
            return ""
        return (
            f"TASKS[{self.alias!r}]: tasks would wait for ever in the table {table}: "
            f"{sources.file or 'the configuration'} has no [[outboxes]] for it. Add:\n\n"
            f"{_outbox_lines(self.options['DATABASE'], table)}"
        )

    def get_result(self, result_id: str) -> Any:
        """Return the task with this id as its job is now.

        Raises TaskResultDoesNotExist, and OrpheusError if the job cannot be read.
        """
        task_id = str(result_id)
        try:
            if task_id.isascii() and task_id.isdigit():
                return self._result_of(self.client.get(int(task_id)))
            if self._outbox_table is not None:  # first: its row is deleted after its job is made
                waiting = self._waiting(task_id, self._outbox_table)
                if waiting is not None:
                    return waiting
            for job in self.client.jobs(tag=task_id, limit=1):
                return self._result_of(self.client.get(job))
        except (NotFound, ValueError) as error:  # ValueError: it cannot be a tag
            raise TaskResultDoesNotExist(task_id) from error
        raise TaskResultDoesNotExist(task_id)

    def _waiting(self, task_id: str, table: str) -> Any:
        """Return the task of a row that is still in the outbox; None if there is none."""
        columns = "type, payload, refused_reason"
        with connections[self.options["DATABASE"]].cursor() as cursor:
            cursor.execute(
                f"SELECT {columns} FROM {quoted(table)} WHERE tags = %s",  # noqa: S608 - quoted
                [json.dumps([task_id])],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        path, payload, refused = row
        result = self._of_payload(_task_at(path), json.loads(payload))
        if refused is None:
            return result
        error = _task_error(JobError("Refused", refused))
        return filled(result, status=TaskResultStatus.FAILED, errors=[error])

    def _result_of(self, job: Job) -> Any:
        task = _task_at(job.type).using(
            priority=job.priority,
            queue_name=job.queue,
            run_after=_local(job.run_at) if job.run_at > job.created_at else None,
            backend=self.alias,
        )
        attempts = job.attempts
        result = self._of_payload(task, {"task_id": str(job.id), **job.payload})
        errors = [attempt.error for attempt in attempts if attempt.error is not None]
        if job.status is Status.CANCELLED:
            errors.append(JobError("JobCancelled", "it was cancelled"))
        return filled(
            result,
            status=_STATUSES[job.status],
            enqueued_at=_local(job.created_at),
            started_at=_local(attempts[0].started_at) if attempts else None,
            last_attempted_at=_local(attempts[-1].started_at) if attempts else None,
            finished_at=_local(job.finished_at),
            errors=[_task_error(error) for error in errors],
            worker_ids=[attempt.worker for attempt in attempts],
            _return_value=job.result,
        )

    def _of_payload(self, task: Any, payload: dict[str, Any]) -> Any:
        result = self.new_result(task, payload.get("args", []), payload.get("kwargs", {}))
        return filled(result, id=payload["task_id"])

    def new_result(self, task: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return the result of a task that has not started, without an id."""
        return TaskResult(
            task=task,
            id="",
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


def _check_arguments(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise TypeError if the function of the task cannot be called with these."""
    before = (None,) if task.takes_context else ()
    # Not those of a function that a decorator has wrapped: it may hand in some itself.
    takes = inspect.signature(task.func, follow_wrapped=False)
    try:
        takes.bind(*before, *args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{task.module_path}: {error}; it takes {takes}") from None


def _outbox_lines(alias: str, table: str) -> str:
    """Return the lines of the configuration for the outbox in a database of Django."""
    database = connections[alias]
    name = database.settings_dict["NAME"]
    url = f"postgresql://USER@HOST/{name}"
    if database.vendor == "sqlite":
        url = f"sqlite:///{Path(name).absolute()}"
    more = "" if table == DEFAULT_TABLE else f'\ntable = "{table}"'
    return f'[[outboxes]]\nname = "{alias}"\nurl = "{url}"{more}\n'


@lru_cache(maxsize=8)
def _client(config: str | None, url: str | None, token: str | None) -> Client:
    """Return the client of this process: each thread has a backend of its own."""
    return Client(url, config=config, token=token)


def filled(result: Any, **values: Any) -> Any:
    """Return the result with these values set."""
    for name, value in values.items():
        object.__setattr__(result, name, value)  # the class is frozen, as a promise to users
    return result


def _task_at(path: str) -> Any:
    """Return the task at a module path. Raises TaskResultDoesNotExist if no task is there."""
    try:
        task = import_string(path)
    except ImportError as error:
        raise TaskResultDoesNotExist(f"{path} is no task of this site: {error}") from error
    if not isinstance(task, Task):
        raise TaskResultDoesNotExist(f"{path} is no task of this site")
    return task


def _local(moment: datetime | None) -> datetime | None:
    """Return a time as Django has it: without a time zone if USE_TZ is off."""
    is_aware = moment is None or settings.USE_TZ
    return moment if is_aware else timezone.make_naive(moment)


def _task_error(error: JobError) -> Any:
    """Return an error with the full name of its class, which only its traceback has."""
    trace = error.traceback or ""
    named = re.findall(rf"^([\w.]+\.)?{re.escape(error.type)}(?=:|$)", trace, re.MULTILINE)
    if named:
        path = f"{named[-1] or 'builtins.'}{error.type}"
    elif error.type in ("JobCancelled", "JobTimeout"):
        path = f"orpheus.{error.type}"
    else:  # the worker died, for example
        path = "builtins.RuntimeError"
    return TaskError(
        exception_class_path=path, traceback=trace or f"{error.type}: {error.message}\n"
    )
