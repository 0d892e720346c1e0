"""A process that drains outboxes, one after another."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CHILD = Path(__file__).parents[1] / "children" / "drain.py"


class DrainingProcess:
    """A process that drains what it is told to."""

    def __init__(self, log_file: Path, points: Path) -> None:
        self.log_file = log_file
        with log_file.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(points)},
            )

    def drain(self, given: dict[str, str] | None) -> None:
        """Drain that outbox from now on, or none, and no other any longer."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write(b"\n" if given is None else json.dumps(given).encode() + b"\n")
        self.popen.stdin.flush()
        self.popen.stdout.readline()  # it may have died of what it drains

    def end(self) -> None:
        """Leave nothing behind."""
        self.popen.kill()
        self.popen.wait(30)
        for pipe in (self.popen.stdin, self.popen.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
