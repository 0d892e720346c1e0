"""`webhook {url, body, headers}`: posts JSON to an address."""

import json
from typing import Any

from orpheus import Context, job
from orpheus.worker.handlers.call_url import call_url


@job(max_retries=8, timeout="45s", backoff_base="5s", backoff_max="10m")
def webhook(
    ctx: Context,
    url: str,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, int]:
    """Post a JSON object. 4xx fails at once, but for 408 and 429; all else is tried again."""
    content = json.dumps({} if body is None else body).encode()
    own = {"Content-Type": "application/json", "Idempotency-Key": f"orpheus-{ctx.job_id}"}
    return {"status": call_url(url, content, {**own, **(headers or {})})}
