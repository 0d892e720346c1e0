"""Addresses that jobs call. Pure."""

import re
from urllib.parse import urlsplit

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


def url_problem(text: str) -> str | None:
    """Return why a text is not an address to call; None if it is.

    The answer does not quote it: there may be a token in it.
    """
    try:
        url = urlsplit(text)
        is_http = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        is_http = False
    if not is_http:
        return 'must be "https://HOST/PATH" or "http://HOST:PORT/PATH"'
    if not _PRINTABLE.fullmatch(text):
        return "must have %XX in the place of spaces and special characters"
    if url.username is not None:
        return "must have no user and password; send them as a header: Authorization"
    return None


def server_of(text: str) -> str:
    """Return what may be told of an address: its host, without the path, where tokens are."""
    url = urlsplit(text)
    port = "" if url.port is None else f":{url.port}"
    host = url.hostname or ""
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}{port}"
