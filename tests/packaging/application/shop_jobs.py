"""The jobs of an application that has installed Orpheus."""

from orpheus import Context, PermanentError, job
from shared import with_tax  # noqa: TID251 - the application's own


@job(max_retries=1, timeout="30s")
def invoice(ctx: Context, customer: str, cents: int) -> dict[str, int]:
    """Write an invoice."""
    if cents < 0:
        raise PermanentError("a price is never negative")
    ctx.log.info("writing", customer=customer)
    return {"cents": with_tax(cents)}
