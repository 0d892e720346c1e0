"""`ping_if_well {url}`: a dead man's switch, which calls an address only while all is well."""

from typing import Any

from orpheus import Context, job
from orpheus.worker.handlers.call_url import call_url


@job(max_retries=2, timeout="45s", backoff_base="2s")
def ping_if_well(ctx: Context, url: str) -> dict[str, Any]:
    """Call an address, unless something needs attention; then the result says what."""
    trouble = ctx.trouble()
    if trouble:
        for sentence in trouble:
            ctx.log.warning("not called", because=sentence)
        return {"called": False, "because": trouble}
    return {"called": True, "status": call_url(url, None, {})}
