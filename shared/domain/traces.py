"""The trace that a job is part of, as W3C Trace Context writes it (`traceparent`). Pure."""

import re

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


def valid_traceparent(text: str | None) -> str | None:
    """Return a `traceparent` in the form of version 00; None if it is not valid.

    A later version may add fields behind a hyphen: they are left out, as the standard says.
    """
    found = _FORM.fullmatch(text or "")
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return f"00-{trace}-{span}-{flags}"
