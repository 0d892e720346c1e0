"""The settings of `orpheus dev`: what it adds to those of the user."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orpheus.config.sources import Sources

DEV_DATABASE = Path(".orpheus/orpheus.db")
DEV_URL = f"sqlite:///{DEV_DATABASE}"
_TIMINGS = {"drain_timeout": 2, "stop_timeout": 1, "shutdown_deadline": 4}
"""Seconds: a job that runs when code is saved has about three to finish, then it is released."""


_A_DAY = 86_400
"""Code that is saved meanwhile does not end a session of the debugger."""


def dev_defaults() -> dict[str, Any]:
    """Return what holds in a folder of `orpheus dev` unless the user says otherwise."""
    modules = {"modules": ["jobs"]} if Path("jobs.py").exists() else {}
    return {"database": {"url": DEV_URL}, "jobs": modules, "logging": {"format": "console"}}


def dev_sources(
    config: Path | None,
    sets: Sequence[str],
    environ: Mapping[str, str],
    modules: Sequence[str] = (),
    *,
    debugs: bool = False,
) -> Sources:
    """Read everything that was set, and add what suits development.

    The file wins over the database, the job modules and the log's format that are assumed here,
    but not over the short timings. A variable and `--set` win over all but `modules`, the names on
    the command line. `debugs`: one worker serves all queues.
    """
    sources = Sources()
    sources.assume(dev_defaults())
    sources.read_found_file(config, environ)
    pools = sources.merged().get("pools")
    if pools is None:
        sources.assume({"pools": {"default": {"workers": 2}}})
    sources.assume({"jobs": {"watch": True}, "supervisor": _TIMINGS})
    sources.read_others(sets, environ)
    if modules:
        sources.assume({"jobs": {"modules": list(modules)}}, "the command line")
    if debugs:
        pools = _one_worker(sources.merged().get("pools"))
        sources.assume({"pools": pools, "supervisor": {"drain_timeout": _A_DAY}})
    return sources


def _one_worker(pools: Any) -> dict[str, Any]:
    """Return what leaves one worker: that of the first pool, for every queue."""
    names = list(pools) if isinstance(pools, Mapping) else []
    first, *others = names or ["default"]
    one = {"workers": 1, "concurrency": 1, "queues": ["*"]}
    return {first: one, **{name: {"workers": 0} for name in others}}
