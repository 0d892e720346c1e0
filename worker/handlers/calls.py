"""The job type `webhook`, which calls an address. It is hidden, and errors name only its host.

The rest of an address may be a secret: whoever has the address of a chat's webhook can write there.
"""

import json
from collections.abc import Mapping
from typing import Any

from orpheus import Context, PermanentError, job
from orpheus.shared.domain.urls import server_of, url_problem

_TIMEOUT_S = 10.0
"""The timeout of each step of a request; the timeout of the job's type bounds the whole."""
_TRY_AGAIN = frozenset({408, 429})
"""Statuses 4xx after which the same request may succeed later."""


class CallFailed(Exception):
    """There was no answer, or one after which a later attempt may succeed."""


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


def call_url(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a POST request, and return the status of the answer, a 2xx.

    Raises CallFailed if a later attempt may succeed, else PermanentError: for 4xx except 408 and
    429, for a redirect, which is never followed, and for an invalid address.
    """
    # Imported late: with TLS they take 8 MB, which most workers never need.
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.error import HTTPError, URLError  # noqa: PLC0415
    from urllib.request import HTTPRedirectHandler, Request, build_opener  # noqa: PLC0415

    class NoRedirect(HTTPRedirectHandler):
        def redirect_request(self, *_: object, **__: object) -> None:
            """Follow no redirect: it would send secrets to another address."""

    problem = url_problem(url)
    if problem is not None:
        raise PermanentError(f"url: {problem}")
    server = server_of(url)
    try:
        request = Request(url, data=body, headers={"User-Agent": "orpheus", **headers})  # noqa: S310 - http or https
        with build_opener(NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            there = error.headers.get("Location", "")
            raise _refused(server, error.code, there) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise CallFailed(f"{server}: {_why(reason, url)}") from None
    except ValueError:  # perhaps of a header; its text may quote a secret
        raise PermanentError(f"{server}: a header cannot be sent as it is") from None


def _refused(server: str, status: int, there: str) -> Exception:
    what = f"{server} answered {status}"
    if 300 <= status < 400:
        to = f" to {server_of(there)}" if url_problem(there) is None else ""
        return PermanentError(f"{what}, a redirect{to}, which is not followed: call that address")
    if 400 <= status < 500 and status not in _TRY_AGAIN:
        return PermanentError(what)
    return CallFailed(what)


def _why(reason: object, url: str) -> str:
    """Return a reason that does not quote the address."""
    text = str(reason) or type(reason).__name__
    path = url.partition("://")[2].partition("/")[2]
    return type(reason).__name__ if path and path in text else text
