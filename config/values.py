"""The kinds of values that settings have: durations, sizes, names, rates, URLs, and their checks.

A value that does not fit raises ValueError with a sentence for the person who wrote it.
"""

import re
import signal
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
)
from pydantic.types import Strict

from orpheus.shared.domain.access import GLOB, GLOB_RULE
from orpheus.shared.domain.hidden import parse_rule
from orpheus.shared.domain.limits import MAX_RETRIES, NAME, NAME_RULE, PRIORITIES
from orpheus.shared.domain.programs import INSTANCE
from orpheus.shared.domain.schedules import problem_of_cron, problem_of_timezone
from orpheus.shared.domain.urls import url_problem
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.outbox.table import TABLE, TABLE_RULE

_HOST = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
SIZE = re.compile(r"\s*([0-9]{1,12})\s*(B|[KMG]i?B|)\s*", re.ASCII)
_PERCENT = re.compile(r"([!-$&-~]|%[0-9A-Fa-f]{2})*", re.ASCII)
"""Text of an URL: printable, and each % begins the code of a character."""
_UNITS_BYTES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
_NO_STOP = frozenset({"STOP", "TSTP", "TTIN", "TTOU", "CONT", "CHLD"})


def parse_size_bytes(value: object) -> int:
    """Return the bytes that `value` means: a number, or `"64KiB"`, `"1MiB"`, `"10MB"`.

    Raises ValueError.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    size = SIZE.fullmatch(value) if isinstance(value, str) else None
    if size is None:
        *units, last = filter(None, _UNITS_BYTES)
        known = f"{', '.join(units)} or {last}"
        raise ValueError(f'a size is bytes, or text of {known}, such as "10MB", "64KiB"')
    return int(size[1]) * _UNITS_BYTES[size[2]]


def sizes(smallest_bytes: int, largest_bytes: int = 2**30) -> AfterValidator:
    """Return a check of a size."""

    def check(size_bytes: int) -> int:
        if size_bytes < smallest_bytes:
            raise ValueError(f"must be at least {smallest_bytes:,} bytes")
        if size_bytes > largest_bytes:
            raise ValueError(f"must be at most {largest_bytes:,} bytes")
        return size_bytes

    return AfterValidator(check)


def matched(pattern: re.Pattern[str], rule: str, text: str) -> str:
    """Return the text if it fits the pattern. Raises ValueError with the rule."""
    if not pattern.fullmatch(text):
        raise ValueError(rule)
    return text


def _matching(pattern: str, rule: str) -> AfterValidator:
    """Return a check of text; `rule` is the text of the error, in place of the pattern."""
    return AfterValidator(partial(matched, re.compile(pattern, re.ASCII), rule))


def _stop_signal(text: str) -> str:
    name = text.upper().removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__ or name in _NO_STOP:
        raise ValueError('must be the name of a signal that ends a program: "TERM", "INT", "QUIT"')
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    except RecursionError:
        raise ValueError("is not a regular expression: it nests too deeply") from None
    return text


def _without(problem_of: Callable[[str], str | None]) -> AfterValidator:
    """Return a check of text, by what tells the problem with it."""

    def check(text: str) -> str:
        if (problem := problem_of(text)) is not None:
            raise ValueError(problem)
        return text

    return AfterValidator(check)


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("must be an address or a network: 127.0.0.1, 10.0.0.0/8") from None
    return text


def _hidden_path(text: str) -> str:
    parse_rule(text)
    return text


def _check_url(text: str) -> str:
    try:
        url = urlsplit(text.replace(INSTANCE, "1"))
        is_http = url.scheme == "http" and url.hostname and url.port != 0 and "@" not in url.netloc
    except ValueError:
        is_http = False
    if not is_http or not _PERCENT.fullmatch(text):
        raise ValueError('must be "http://HOST:PORT/PATH"')
    return text


Seconds = Annotated[float, BeforeValidator(parse_duration_s)]
Timer = Annotated[Seconds, Field(gt=0)]
SizeBytes = Annotated[int, BeforeValidator(parse_size_bytes), sizes(1)]
Integer = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
QueueName = Annotated[
    str, _matching(rf"\*|{NAME.pattern}", f'must be "*" for all queues, or a name: it {NAME_RULE}')
]
TypeFilter = Annotated[
    str, _matching(rf"\*|{NAME.pattern}", f'must be "*" for all types, or a name: it {NAME_RULE}')
]
Name = Annotated[str, _matching(NAME.pattern, NAME_RULE)]
Glob = Annotated[str, _matching(GLOB.pattern, GLOB_RULE)]
HeaderName = Annotated[
    str, _matching(r"[A-Za-z0-9-]{1,100}", "must be the name of a header: X-Forwarded-Email")
]
Network = Annotated[str, AfterValidator(_network)]
PoolName = Annotated[
    str,
    _matching(
        "[a-z][a-z0-9_]{0,63}",
        "must be named by up to 64 small letters, digits or _, beginning with a letter: mail_2",
    ),
]
Module = Annotated[
    str,
    _matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", 'must be the name of a Python module: "shop.jobs"'),
]
Function = Annotated[
    str,
    _matching(
        r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
        'must be a module and a function in it: "shop.tracing:around_job"',
    ),
]
Argument = Annotated[str, _matching(r"[^\x00]*", "must not contain a NUL character")]
VariableName = Annotated[
    str,
    _matching(r"(?!_ORPHEUS_)[^=\x00]+", "is not the name of a variable that can be set"),
]
HostName = Annotated[
    str,
    _matching(_HOST, 'must be a name, or name:port, as it stands in the address: "jobs.example"'),
]
Origin = Annotated[
    str,
    _matching(f"https?://{_HOST}", 'must be an origin without a path: "https://tool.example"'),
]
RootPath = Annotated[
    str,
    _matching(
        "(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*",
        'must be a path without a slash at its end: "/jobs"; without a prefix: ""',
    ),
]
Rate = Annotated[
    str,
    _matching(
        "([1-9][0-9]{0,8}/[smhd])?",
        'must be a number of jobs and s, m, h or d: "10/s", "100/m", "5/h", "2/d"; "": no limit',
    ),
]
_POSTGRESQL = f"postgres(ql)?://{_PERCENT.pattern}"
DatabaseUrl = Annotated[
    str,
    _matching(
        rf"sqlite:///[\s\S]+|{_POSTGRESQL}",
        'must be "sqlite:///FILE" (relative to where Orpheus is started), "sqlite:////FILE" or '
        '"postgresql://USER@HOST/DATABASE", with %XX for special characters',
    ),
]
ListenUrl = Annotated[
    str,
    _matching(
        f"({_POSTGRESQL})?",
        'must be "postgresql://USER@HOST/DATABASE", with %XX for special characters',
    ),
]
CheckUrl = Annotated[str, AfterValidator(_check_url)]
HiddenPath = Annotated[str, AfterValidator(_hidden_path)]
WebhookUrl = Annotated[
    str,
    _without(url_problem),  # it does not quote the URL: there may be a token in it
    _matching("[^{}]*", "must have %7B and %7D in the place of braces"),
]
CollectorUrl = Annotated[str, _without(lambda text: url_problem(text) if text else None)]
StopSignal = Annotated[str, AfterValidator(_stop_signal)]
Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_pattern)]
Cron = Annotated[str, _without(problem_of_cron)]
Timezone = Annotated[str, _without(problem_of_timezone)]
OutboxUrl = Annotated[
    str,
    _matching(
        rf"sqlite:///[^\x00]+|{_POSTGRESQL}",
        'must be "sqlite:///FILE" or "postgresql://USER@HOST/DATABASE", '
        "with %XX for special characters",
    ),
]
TableName = Annotated[str, _matching(TABLE.pattern, TABLE_RULE)]
Retries = Annotated[Integer, Field(ge=0, le=MAX_RETRIES)]
Priority = Annotated[Integer, Field(ge=PRIORITIES[0], le=PRIORITIES[-1])]
