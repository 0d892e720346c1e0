"""Which jobs a list shows, or an action on many jobs changes.

Pure. Each way in (HTTP, the command line, the clients) makes a JobFilter of what it is given, and
asks `filter_problems` whether any job can match.
"""

import json
import re

import msgspec

from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.errors import FieldProblem

NOT_ENDED = "such a job has not ended"
_PAYLOAD_FIELD = re.compile(
    r'(?:payload\.)?([\w-]+(?:\.[\w-]+)*)=("(?:[^"\\]|\\.)*"|[^\s"]\S*)(?:\s+|$)'
)


class JobFilter(msgspec.Struct, frozen=True):
    """Selects jobs: each field that is not None must match.

    `q` is searched for as one phrase in type, payload, error message and tags.
    """

    status: Status | None = None
    type: str | None = None
    queue: str | None = None
    tag: str | None = None
    unique_key: str | None = None
    payload: str | None = None
    """Values of payload fields, as `payload_fields` reads them."""
    q: str | None = None
    error: str | None = None
    """The type of its error, as in `ErrorGroup`; so is `where`, in which empty text is a value."""
    where: str | None = None
    since_ms: int | None = None
    """It ended at that time or later; `until_ms`: before that time."""
    until_ms: int | None = None
    ids: tuple[int, ...] | None = None
    scope: Scope | None = None
    """What the caller may see; None: everything."""

    @property
    def by_end(self) -> bool:
        """Whether it selects by the jobs' ends; a list is then in the order of these."""
        return self.since_ms is not None or self.until_ms is not None


def filter_problems(wanted: JobFilter, prefix: str = "") -> list[FieldProblem]:
    """Return why no job can match.

    `prefix`: what the reader writes before the name of a field, `--` on the command line.
    """
    problems = span_problems(wanted.since_ms, wanted.until_ms, prefix)
    try:
        if wanted.payload is not None:
            payload_fields(wanted.payload)
    except ValueError as error:
        problems.append(FieldProblem("/payload", str(error)))
    if wanted.where is not None and wanted.error is None:
        detail = f"needs {prefix}error: only what has failed has a location"
        problems.append(FieldProblem("/where", detail))
    if wanted.status in LIVE and wanted.by_end:
        detail = f"cannot be {wanted.status} with {prefix}since or {prefix}until: {NOT_ENDED}"
        problems.append(FieldProblem("/status", detail))
    return problems


def span_problems(
    since_ms: int | None, until_ms: int | None, prefix: str = ""
) -> list[FieldProblem]:
    """Return what is wrong with a span of time that is open where it has None."""
    if since_ms is None or until_ms is None or since_ms < until_ms:
        return []
    return [FieldProblem("/until", f"must be later than {prefix}since")]


def payload_fields(text: str) -> list[tuple[str, str]]:
    """Return the JSON path and the JSON value of each field in `customer=4711 order.name="A B"`.

    A number in a name is a place in a list. A value that is not a number, true, false, null or
    text in quotes is text. Raises ValueError.
    """
    fields: list[tuple[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text) or not fields:
        field = _PAYLOAD_FIELD.match(text, at)
        if field is None:
            raise ValueError('must be fields and values, such as customer=4711 name="A B"')
        name, value = field.groups()
        path = "$" + "".join(
            f"[{part}]" if part.isdecimal() else f'."{part}"' for part in name.split(".")
        )
        fields.append((path, _json_of(value)))
        at = field.end()
    return fields


def payload_names(path: str) -> tuple[str, ...]:
    """Return the names in a path of `payload_fields`."""
    return tuple(part for part in re.split(r'\."|"|[\[\]]', path[1:]) if part)


def _json_of(value: str) -> str:
    try:
        decoded = msgspec.json.decode(value)
    except msgspec.DecodeError:
        decoded = value
    if isinstance(decoded, (dict, list)):
        decoded = value
    if isinstance(decoded, str) and "\0" in decoded:
        raise ValueError("must not contain NUL")
    return json.dumps(decoded, ensure_ascii=False)
