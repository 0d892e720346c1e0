"""Drains one outbox in a process of its own, as the supervisor does, until SIGTERM."""

import json
import signal
import sys

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.process.failpoints import name_program
from orpheus.supervisor.outbox.drainers import Drainers
from orpheus.supervisor.outbox.settings import OutboxSettings


def main(given: dict[str, str]) -> None:
    """Drain the outbox that the command line names."""
    name_program("supervisor")
    configure_logging("debug", "json", "supervisor")
    settings = OutboxSettings(
        name="shop",
        url=given["url"],
        table=given["table"],
        poll_s=0.02,
        storage=StorageSettings(given["database"], durable=True, pools={}),
        defaults=JobDefaults(max_retries=3, timeout_s=900),
        max_payload_bytes=1000,
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    drainers = Drainers()
    drainers.adopt([settings])
    signal.sigwait([signal.SIGTERM])
    drainers.stop(10)
    stop_logging()


main(json.loads(sys.argv[1]))
