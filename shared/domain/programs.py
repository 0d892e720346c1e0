"""Programs: what a `[[programs]]` entry says of a long-lived program.

They are foreign programs (a web server, a tunnel, a cache), kept running in slots of their own like
workers. They run no jobs, know no channel and send no heartbeats.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from orpheus.shared.domain.limits import NAME

INSTANCE = "{instance}"
"""In an argument, a variable or a URL: replaced by the number of the slot, from 1."""
SLOT = re.compile(rf"(?:{NAME.pattern})-[1-9][0-9]{{0,3}}", re.ASCII)
"""The name of a program's slot, which is that of a folder, too."""


class RestartPolicy(StrEnum):
    """When a program that has ended by itself is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"

    def keeps_down(self, *, failed: bool) -> bool:
        """Return whether a program that has ended so stays down."""
        return self is RestartPolicy.NEVER or (self is RestartPolicy.ON_FAILURE and not failed)


class ProgramSettings(msgspec.Struct, frozen=True):
    """A `[[programs]]` entry; durations in seconds, sizes in bytes.

    Of `ready_http`, `ready_line` and `ready_after_s`, one is not None.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str = ""
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    env_file: str = ""
    env_digest: str = ""
    """Changes with the content of `env_file`."""
    restart: RestartPolicy = RestartPolicy.ALWAYS
    ready_http: str | None = None
    ready_line: str | None = None
    ready_after_s: float | None = None
    alive_http: str | None = None
    alive_every_s: float = 10.0
    alive_failures: int = 3
    after: tuple[str, ...] = ()
    """The programs that must be ready before this one is started."""
    stop_signal: str = "TERM"
    stop_timeout_s: float = 25.0
    log_size_bytes: int = 10_000_000
    log_files: int = 5
    max_memory_bytes: int = 0

    def runs_on(self) -> list[object]:
        """Return the settings whose change restarts the process: what exec is given."""
        return [self.argv, self.cwd, dict(self.env), self.env_file, self.env_digest]


def filled_in(text: str, instance: int) -> str:
    """Return the text with the number of the instance in its place."""
    return text.replace(INSTANCE, str(instance))


def instance_of(slot: str) -> int:
    """Return the number at the end of a slot's name."""
    return int(slot.rpartition("-")[2])
