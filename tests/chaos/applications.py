"""Applications beside an Orpheus: started, killed, started again, and what they were answered."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from orpheus.shared.domain.jobs import NewJob
from tests.chaos.histories import Request

_PROGRAM = Path(__file__).parent / "application.py"
_FIRST = 1_000_000
"""Their requests have numbers from here on: those of other clients count from 0."""
_OF_A_LIFE = 100_000


class Applications:
    """One application at a time; each life has numbers of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        on_postgres = url.startswith("postgresql")
        self._folder = folder
        self._log = folder / "application"
        self._environment = {
            **{name: value for name, value in os.environ.items() if "ORPHEUS_" not in name},
            "ORPHEUS_DATABASE__URL": url,
            "ORPHEUS_DATABASE__STATE_DIR": str(folder / "application-state") if on_postgres else "",
        }
        self._output = (folder / "application.log").open("ab")
        self._lives = 0
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        first = _FIRST + self._lives * _OF_A_LIFE
        self._lives += 1
        return subprocess.Popen(
            [sys.executable, _PROGRAM, str(self._log), str(first)],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._output.close()

    def kill(self) -> None:
        """Kill it, and start it again."""
        assert self._process.poll() is None, f"the application ended: {self.output()[-3000:]}"
        self.end()
        self._process = self._start()

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def output(self) -> str:
        """What it wrote: nothing, unless it failed."""
        return Path(self._output.name).read_text()

    def requests(self) -> list[Request]:
        """What was asked for, as far as that was answered."""
        requests: dict[int, Request] = {}
        for line in self._log.read_text().splitlines():
            told: dict[str, Any] = json.loads(line)
            number = told["number"]
            if told["state"] == "asked":
                asked = NewJob("asked", "{}", unique_key=told.get("key"))
                requests[number] = Request(number, (asked,), None, "undecided")
            else:
                requests[number].state = told["state"]
                requests[number].ids = () if told["id"] is None else (told["id"],)
        return list(requests.values())
