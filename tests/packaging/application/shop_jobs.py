"""The jobs of an application that has installed Orpheus."""

from typing import Any

from orpheus import Context, PermanentError, job
from shared import with_tax  # noqa: TID251 - the application's own


@job(max_retries=1, timeout="30s")
def invoice(ctx: Context, customer: str, cents: int) -> dict[str, int]:
    """Write an invoice."""
    if cents < 0:
        raise PermanentError("a price is never negative")
    ctx.log.info("writing", customer=customer)
    return {"cents": with_tax(cents)}


@job(max_retries=5, timeout="30s", queue="media", permanent=(ValueError,), backoff_base="10s")
def resize(ctx: Context, path: str, width: int = 640) -> dict[str, int]:
    """Make a picture smaller."""
    ctx.log.info("resizing", path=path)
    ctx.progress(0.5, "half way")
    ctx.check_cancelled()
    ctx.enqueue(notify.new(path=path))
    return {"width": width}


@job
async def notify(path: str) -> str:
    """Tell who waits for a picture."""
    return path


@job
def remind(ctx: Context, customer: str, days: int = 1) -> None:
    """Remind a customer."""


@job
def anything(ctx: Context, path: str) -> Any:
    """Return what the file has."""
    return path
