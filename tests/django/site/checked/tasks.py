"""Tasks of each kind."""

from typing import Any

from django.db import connection

from orpheus.django import compat

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


class OutOfStock(Exception):
    """An error of the site."""


@task()
def noop(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


@task()
async def answer(add: int = 0) -> int:
    return 42 + add


@task(priority=5, queue_name="mail")
def greet(name: str) -> str:
    return f"Hello {name}"


@task()
def fail() -> None:
    raise OutOfStock("no tea")


@task()
async def afail() -> None:
    raise ValueError("no tea")


@task()
def leave() -> None:
    raise SystemExit("bye")


@task(takes_context=True)
def look(context: Any) -> dict[str, Any]:
    assert isinstance(context, compat.TaskContext)
    context.orpheus.progress(0.5, "half")
    return {"id": context.task_result.id, "attempt": context.attempt}


@task()
def count_users() -> int:
    from django.contrib.auth.models import User

    assert connection.connection is None, "the connection of an earlier attempt is still open"
    return int(User.objects.count())
