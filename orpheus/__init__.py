"""The import name of Orpheus: what a job author or an application uses, `from orpheus import job`.

The five folders beside this file are links to the top-level folders of the checkout, so that one
name, `orpheus`, leads to everything and an application may have `api`, `worker` or `shared`
packages of its own. What no program imports is in here itself: the clients of applications
(`client/`, `outbox.py`), what the tests of job authors use (`testing/`) and the plugin for pytest.
So is `otel.py`, which clients and programs use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orpheus.client.awaited import AsyncClient
    from orpheus.client.blocking import Client
    from orpheus.shared.job_types.context import (
        AsyncContext,
        ChildFailed,
        Context,
        JobCancelled,
        JobSuspended,
        JobTimeout,
        PermanentError,
        SignalTimeout,
        Snooze,
    )
    from orpheus.shared.job_types.registry import job
    from orpheus.shared.messages.jobs import Job

__all__ = [
    "AsyncClient",
    "AsyncContext",
    "ChildFailed",
    "Client",
    "Context",
    "Job",
    "JobCancelled",
    "JobSuspended",
    "JobTimeout",
    "PermanentError",
    "SignalTimeout",
    "Snooze",
    "job",
]

_MODULES = {
    "AsyncClient": "orpheus.client.awaited",
    "Client": "orpheus.client.blocking",
    "Job": "orpheus.shared.messages.jobs",
    "job": "orpheus.shared.job_types.registry",
}
_OTHERS = "orpheus.shared.job_types.context"


def __getattr__(name: str) -> Any:
    """Import a name when it is wanted: neither a program nor pytest needs all of them."""
    if name not in __all__:
        raise AttributeError(f"module 'orpheus' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES.get(name, _OTHERS)), name)
    return value
