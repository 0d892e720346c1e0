"""Asks a program over HTTP whether it is ready and alive, on a thread of its own.

A program that accepts a connection and never answers delays only this thread. The main loop reads
the attributes of the checks, and is woken when one of them changes.
"""

import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from urllib.parse import urlsplit

from orpheus.shared.domain.programs import ProgramSettings, filled_in

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
_LONGEST_ANSWER_S = 5.0
_SHORTEST_ANSWER_S = 1.0
_GOOD = range(200, 400)


class HttpChecks:
    """The checks of one process. Use it from the main thread."""

    def __init__(self, program: ProgramSettings, instance: int, wake: Callable[[], object]) -> None:
        self.program = program
        """The main loop may replace it by changed settings."""
        self.is_ready = False
        """It has answered at `ready_http`."""
        self.unready = ""
        """Why it is not ready yet, as the check of `ready_http` found last."""
        self.unhealthy = ""
        """Why it counts as dead; empty: it does not."""
        self.serves = False
        """Set by the main loop: its slot is ready, so from now on it must be alive."""
        self._instance = instance
        self._wake = wake
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=f"checks of {program.name}", daemon=True)

    @classmethod
    def start(
        cls, program: ProgramSettings, instance: int, wake: Callable[[], object]
    ) -> "HttpChecks | None":
        """Start to check a process; None if the program names nothing to ask.

        Raises RuntimeError if no thread can be started.
        """
        if program.ready_http is None and program.alive_http is None:
            return None
        checks = cls(program, instance, wake)
        checks._thread.start()
        return checks

    def stop(self) -> None:
        """Tell the thread to end; returns at once."""
        self._stopped.set()

    def _run(self) -> None:
        began_s, failures = time.monotonic(), 0
        while not self._stopped.is_set() and not self.unhealthy:
            program = self.program
            waited_s = time.monotonic() - began_s
            pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, waited_s / 10))
            if program.ready_http is not None and not self.is_ready and not self.serves:
                self._ask_ready(self._url(program.ready_http))
            elif program.alive_http is not None and self.serves:
                pause_s = program.alive_every_s
                answer_s = min(_LONGEST_ANSWER_S, max(_SHORTEST_ANSWER_S, pause_s))
                problem = problem_at(self._url(program.alive_http), answer_s)
                failures = failures + 1 if problem else 0
                if failures >= program.alive_failures:
                    self._report(failures, problem)
            else:
                pause_s = _LONGEST_PAUSE_S
            self._stopped.wait(pause_s)

    def _ask_ready(self, url: str) -> None:
        problem = problem_at(url, _LONGEST_ANSWER_S)
        if problem:
            self.unready = f"{shown(url)}: {problem[0].lower()}{problem[1:]}"
        else:
            self.is_ready = True
            self._wake()

    def _report(self, failures: int, problem: str) -> None:
        times = "the check has failed" if failures == 1 else f"{failures} checks in a row failed"
        self.unhealthy = f"{times} (alive): {problem}"
        self._wake()

    def _url(self, text: str) -> str:
        return filled_in(text, self._instance)


def shown(url: str) -> str:
    """Return the part of a URL that may be told: all but its query, where tokens are."""
    place, has_query, _ = url.partition("?")
    return place + ("?…" if has_query else "")


def problem_at(url: str, timeout_s: float) -> str:
    """Return why the URL does not answer well, in words; empty: it does. Blocks."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # {instance} may lead beyond the last one
        return f"there is no port {parts.netloc.rpartition(':')[2]}"
    connection = HTTPConnection(parts.hostname or "", port, timeout=timeout_s)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except OSError as error:
        return error.strerror or str(error)
    except (HTTPException, ValueError) as error:  # its text may quote the URL, and so the query
        return f"not an answer of HTTP: {type(error).__name__}"
    finally:
        connection.close()
    return "" if status in _GOOD else f"it answered {status}"
