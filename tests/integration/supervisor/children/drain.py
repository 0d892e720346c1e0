"""Drains one outbox at a time in a process of its own, as the supervisor does.

Each line of the standard input has what to drain from now on; an empty one: nothing. It is answered
by an empty line once what was drained before is drained no longer, and all of it is in the log.
"""

import json
import os
import sys
from typing import Any

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.process.failpoints import name_program
from orpheus.supervisor.outbox.drainer import OutboxSettings
from orpheus.supervisor.outbox.drainers import Drainers


def settings_of(given: dict[str, Any]) -> OutboxSettings:
    """The settings of an outbox."""
    return OutboxSettings(
        name="shop",
        url=given["url"],
        table=given["table"],
        poll_s=0.02,
        storage=StorageSettings(given["database"], durable=True, pools={}),
        defaults=JobDefaults(max_retries=3, timeout_s=900),
        max_payload_bytes=1000,
    )


def main() -> None:
    """Drain what the standard input says, until it ends."""
    name_program("supervisor")
    drainers = Drainers()
    for line in iter(sys.stdin.readline, ""):
        drainers.stop(10)
        stop_logging()
        configure_logging("debug", "json", "supervisor")
        drainers = Drainers()
        drainers.adopt([settings_of(json.loads(line))] if line.strip() else [])
        os.write(1, b"\n")
    drainers.stop(10)
    stop_logging()


main()
