"""The job types of a Django site, for `[jobs] modules`: one for each task, named by its path.

It finds the tasks in the module `tasks` of each installed app, and in what these modules import.
"""

import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from traceback import format_exception
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from orpheus import Context, JobSuspended, Snooze, job
from orpheus.django.backend import OrpheusBackend, filled
from orpheus.django.compat import (
    LOGGER,
    Task,
    TaskContext,
    TaskError,
    TaskResultStatus,
    task_finished,
    task_started,
)
from orpheus.shared.errors import ConfigurationError


def _close_old() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # in a TestCase, the connection is the test's
            connection.close_if_unusable_or_obsolete()


class Connections:
    """Closes connections of Django that are old or broken, as Django does around each request.

    Tasks have it already. Functions with `@job` get it with `[jobs] around =
    ["orpheus.django.jobs:Connections"]`.
    """

    def __init__(self, _context: Context | None = None) -> None:
        pass

    def __enter__(self) -> None:
        _close_old()

    def __exit__(self, *_: object) -> None:
        _close_old()

    async def __aenter__(self) -> None:
        await _close_old_of_async()

    async def __aexit__(self, *_: object) -> None:
        await _close_old_of_async()


_close_old_of_async = sync_to_async(_close_old)
"""Closes those of the thread in which `sync_to_async` and Django's async ORM work."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrpheusTaskContext(TaskContext):
    """What a task with `takes_context=True` gets."""

    orpheus: Context
    """Its job: progress, log, durable steps."""


def _started(
    task: Any, ctx: Context, task_id: str | None, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    """Return the result of a task that starts, and send the signal.

    Nothing is read for it: `task_result.refresh()` reads what earlier attempts left.
    """
    now = timezone.now()
    result = filled(
        task.get_backend().new_result(task, args, kwargs),
        id=task_id or str(ctx.job_id),
        status=TaskResultStatus.RUNNING,
        started_at=now,
        last_attempted_at=now,
        worker_ids=[f"{os.uname().nodename}-{os.getpid()}"] * ctx.attempt,
    )
    task_started.send(type(task.get_backend()), task_result=result)
    return result


def _ended(result: Any, value: Any = None, error: BaseException | None = None) -> None:
    """Send the signal that the attempt has ended, unless the task only waits."""
    if isinstance(error, (Snooze, JobSuspended)):
        return
    if error is None:
        filled(result, status=TaskResultStatus.SUCCESSFUL, _return_value=value)
    else:
        kind = type(error)
        path, trace = f"{kind.__module__}.{kind.__qualname__}", "".join(format_exception(error))
        errors = [TaskError(exception_class_path=path, traceback=trace)]
        filled(result, status=TaskResultStatus.FAILED, errors=errors)
    filled(result, finished_at=timezone.now())
    task_finished.send(type(result.task.get_backend()), task_result=result)


def _before(task: Any, ctx: Context, result: Any) -> tuple[Any, ...]:
    """Return the arguments that stand before those of the caller."""
    return (OrpheusTaskContext(task_result=result, orpheus=ctx),) if task.takes_context else ()


def _handler_of(task: Any) -> Callable[..., Any]:
    """Return the function of the task's job type."""

    def run(
        ctx: Context,
        args: list[Any] = [],  # noqa: B006
        kwargs: dict[str, Any] = {},  # noqa: B006
        task_id: str | None = None,
    ) -> Any:
        with Connections():
            result = _started(task, ctx, task_id, args, kwargs)
            try:
                value = task.func(*_before(task, ctx, result), *args, **kwargs)
            except BaseException as error:
                _ended(result, error=error)
                raise
            _ended(result, value)
            return value

    async def arun(
        ctx: Context,
        args: list[Any] = [],  # noqa: B006
        kwargs: dict[str, Any] = {},  # noqa: B006
        task_id: str | None = None,
    ) -> Any:
        # What receives a signal may use the database, which Django refuses on an event loop.
        async with Connections():
            result = await sync_to_async(_started)(task, ctx, task_id, args, kwargs)
            try:
                value = await task.func(*_before(task, ctx, result), *args, **kwargs)
            except BaseException as error:
                await sync_to_async(_ended)(result, error=error)
                raise
            await sync_to_async(_ended)(result, value)
            return value

    handler = arun if iscoroutinefunction(task.func) else run
    handler.__doc__ = task.func.__doc__
    return handler


def _tasks() -> Iterator[Any]:
    """Yield every task in an imported module that this backend runs, once or more."""
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            # Not isinstance: it would evaluate Django's lazy objects.
            if issubclass(type(value), Task) and isinstance(value.get_backend(), OrpheusBackend):
                yield value


def _register() -> None:
    tasks = {task.module_path: task for task in _tasks()}
    if not tasks:
        raise ConfigurationError(
            "orpheus.django.jobs found no task: put @task before a function in the module `tasks` "
            "of an app in INSTALLED_APPS, and OrpheusBackend into TASKS"
        )
    for path, task in tasks.items():
        options = task.get_backend().options
        retries, timeout = (
            options.get(name.upper()) if getattr(task, name, None) is None else getattr(task, name)
            for name in ("max_retries", "timeout")
        )
        job(path, max_retries=retries, timeout=timeout)(_handler_of(task))


django.setup()
if logging.getLogger(LOGGER).level == logging.NOTSET:
    # Orpheus logs starts and ends itself. Failures are for the handlers of a site that is in use.
    logging.getLogger(LOGGER).setLevel(logging.CRITICAL if settings.DEBUG else logging.WARNING)
autodiscover_modules("tasks")
_register()
