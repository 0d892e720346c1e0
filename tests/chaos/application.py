"""An application that submits jobs with a client of its own, on the database, until it is killed.

Usage: application.py LOG FIRST, with the database in the environment. Each request is a line of
LOG before it is made, and another once it is decided. A timer's signal handler submits on the same
client, also while the client is in use, and now and then in a child that it forks. On PostgreSQL,
every other job is submitted in a transaction of the application's own.
"""

import itertools
import json
import os
import random
import signal
import sys
import threading
from typing import Any

import psycopg

from orpheus import Client
from orpheus.client import OrpheusError

KEYS = ("shared-0", "shared-1", "shared-2")
_TIMER_S = 0.05
_FORKS = 0.02


class Application:
    """Submits jobs, and writes down each request and each answer."""

    def __init__(self, log: str, first: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._numbers = itertools.count(first)
        self._client = Client()
        self._chance = random.Random(first)
        self._url = os.environ["ORPHEUS_DATABASE__URL"]

    def run(self) -> None:
        """Until it is killed."""
        signal.signal(signal.SIGALRM, self._interrupt)
        signal.setitimer(signal.ITIMER_REAL, _TIMER_S, _TIMER_S)
        in_transaction = self._url.startswith("postgresql")
        while True:
            self._submit(next(self._numbers))
            if in_transaction:
                self._submit_in_transaction()
            threading.Event().wait(self._chance.uniform(0, 0.1))

    def _interrupt(self, *_: object) -> None:
        """Submit within whatever the client does, sometimes in a child."""
        number = next(self._numbers)
        if self._chance.random() > _FORKS:
            self._submit(number)
        elif os.fork() == 0:
            try:
                self._submit(number)
            finally:
                os._exit(0)

    def _submit(self, number: int) -> None:
        self._note(number, "asked")
        try:
            job = self._client.submit("asked", self._payload(number), max_retries=30)
        except RuntimeError as error:  # the client is in use by the call that was interrupted
            self._note(number, "refused", error=repr(error))
        except OrpheusError as error:
            self._note(number, "undecided", error=repr(error))
        else:
            self._note(number, "answered", job.id)

    def _submit_in_transaction(self) -> None:
        """Commit or roll back, after a while in which others wait for the unique key."""
        number, key = next(self._numbers), self._chance.choice((None, *KEYS))
        new = ("asked", self._payload(number)) if key is None else ("kept", {})
        self._note(number, "asked", key=key)
        state = "undecided"
        job_id = None
        try:
            with psycopg.connect(self._url) as connection:
                with Client(connection=connection) as client:
                    job = client.submit(*new, max_retries=30, unique_key=key)
                threading.Event().wait(self._chance.choice((0.0, 0.1, 3.0)))
                if self._chance.random() < 0.3:
                    state = "refused"
                    connection.rollback()
                else:
                    connection.commit()
                    state, job_id = "answered", job.id
        except (psycopg.Error, OrpheusError) as error:
            self._note(number, state, error=repr(error))
        else:
            self._note(number, state, job_id)

    def _payload(self, number: int) -> dict[str, Any]:
        return {"does": "nothing", "failures": 0, "request": number, "index": 0}

    def _note(self, number: int, state: str, job_id: int | None = None, **more: Any) -> None:
        line = {"number": number, "state": state, "id": job_id, **more}
        os.write(self._log, json.dumps(line).encode() + b"\n")


Application(sys.argv[1], int(sys.argv[2])).run()
