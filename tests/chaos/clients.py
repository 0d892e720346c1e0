"""Clients that ask until they know, write down every answer, and a subscriber that resumes."""

import json
import random
import threading
import time
from typing import Any

import httpx2
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from orpheus.shared.domain.jobs import NewJob
from tests.chaos.histories import Answer, Cancel, ClientLog, Request

_PAUSE_S = 0.1
_PATIENCE_S = 5.0


class Client:
    """One client, which asks until it knows, or until `over`."""

    def __init__(self, url: str, log: ClientLog, over: threading.Event | None = None) -> None:
        self._log = log
        self._over = over or threading.Event()
        self._key = f"chaos-{id(self)}-{time.monotonic_ns()}"
        self._http = httpx2.Client(base_url=url, timeout=_PATIENCE_S, trust_env=False, verify=False)

    def close(self) -> None:
        """It is done."""
        self._http.close()

    def ask(self, method: str, path: str, **request: Any) -> httpx2.Response | None:
        """One request; None if no answer came."""
        try:
            answer = self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            self._note(Answer(path, None, time.monotonic_ns(), repr(error)))
            return None
        text = answer.text if answer.status_code >= 400 else ""
        self._note(Answer(path, answer.status_code, time.monotonic_ns(), text))
        return answer

    def _note(self, answer: Answer) -> None:
        with self._log.lock:
            self._log.answers.append(answer)

    def submit(self, jobs: list[dict[str, Any]]) -> tuple[int, ...]:
        """A batch, asked for with one Idempotency-Key until it is decided; its ids (none: over)."""
        with self._log.lock:
            number = len(self._log.requests)
            request = Request(number, (), f"{self._key}-{number}", "undecided")
            self._log.requests.append(request)
        for index, job in enumerate(jobs):
            job["payload"] |= {"request": number, "index": index}
        request.jobs = tuple(
            NewJob(
                job["type"],
                json.dumps(job["payload"]),
                queue=job.get("queue", "default"),
                priority=job.get("priority", 0),
                concurrency_key=job.get("concurrency_key"),
            )
            for job in jobs
        )
        headers = {"Idempotency-Key": request.key or ""}
        while True:
            answer = self.ask("POST", "/jobs/batch", json={"jobs": jobs}, headers=headers)
            if answer is not None and answer.status_code == 201:
                request.ids = tuple(answer.json()["ids"])
                request.state = "answered"
                return request.ids
            if answer is not None and answer.status_code < 500:
                request.state = "refused"
                raise AssertionError(f"{answer.status_code} {answer.text}")
            if self._over.wait(_PAUSE_S):
                return ()

    def cancel(self, job_id: int) -> None:
        """Once; an answer that does not come leaves it undecided."""
        answer = self.ask("POST", f"/jobs/{job_id}/cancel")
        if answer is not None and answer.status_code == 200:
            with self._log.lock:
                self._log.cancels.append(Cancel(job_id, time.monotonic_ns()))


class Subscriber(threading.Thread):
    """Follows `/ws` from the first event on, and resumes after the last one it has."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url.replace("http", "ws")
        self._over = threading.Event()
        self.seqs: list[int] = []
        self.problems: list[str] = []
        self.epoch = ""
        """The history of the database that its first hello named."""

    def run(self) -> None:
        """Until told to stop."""
        while not self._over.is_set():
            after = self.seqs[-1] if self.seqs else 0
            try:
                with connect(f"{self._url}/ws?after={after}", proxy=None, open_timeout=3) as socket:
                    while not self._over.is_set():
                        self._take(json.loads(socket.recv(timeout=2)))
            except (OSError, WebSocketException, TimeoutError):
                self._over.wait(_PAUSE_S)

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "events":
            self.seqs += [event["seq"] for event in frame["events"]]
        elif frame["type"] == "hello":
            self.epoch = self.epoch or frame["epoch"]
        elif frame["type"] == "reset":
            self.problems.append(f"reset after {self.seqs[-1:]}: {frame}")

    def stop(self) -> None:
        """Wait until it has."""
        self._over.set()
        self.join(10)


def told_epoch(url: str) -> str:
    """Return the history of the database that the API names."""
    with connect(f"{url.replace('http', 'ws')}/ws", proxy=None, open_timeout=30) as socket:
        return str(json.loads(socket.recv(timeout=30))["epoch"])


KEYED = "keyed"
"""A queue whose jobs have a concurrency key."""
MOST_OF_A_KEY = 2
"""So many jobs of a key may run at once."""
SHARED = ("default", "mail", KEYED)
ALONE = "alone"
"""A queue for jobs that must have their process for themselves."""


def some_jobs(chance: random.Random, n: int, secret: str) -> list[dict[str, Any]]:
    """Mixed jobs, some of which kill their worker, all of which end within seconds.

    One in four waits for the one before it, and ends with it if that fails.
    """
    jobs = [_job(chance, secret) for _ in range(n)]
    for number, job in enumerate(jobs):
        job["ref"] = f"j{number}"
        if number and chance.random() < 0.25:
            job["depends_on"] = [f"j{number - 1}"]
    return jobs


def _job(chance: random.Random, secret: str) -> dict[str, Any]:
    does = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    queue = chance.choice(("default", *SHARED))
    payload: dict[str, Any] = {"does": does, "secret": secret, "failures": chance.randrange(1, 3)}
    fields: dict[str, Any] = {"max_retries": 30}
    match does:
        case "parent":
            payload["children"] = 2
        case "sleep":
            payload["seconds"] = chance.choice((0.01, 0.05, 0.1, 0.5))
        case "ignore_term":
            payload["seconds"] = 0.3
        case "hold_gil":
            payload |= {"seconds": 4, "failures": 1}
        case "spin":
            fields["timeout"] = "500ms"
        case "exhaust_memory":
            queue = ALONE  # what it limits is the memory of its whole process
        case "poison":
            payload |= {"does": "exit", "failures": 99}
            fields["max_retries"] = chance.randrange(3)
    if queue == KEYED:
        fields["concurrency_key"] = chance.choice("abc")
    return {
        "type": "asked",
        "payload": payload,
        "queue": queue,
        "priority": chance.choice((0, 0, 0, 5)),
        **fields,
    }


_WEIGHTS = {
    "nothing": 40,
    "parent": 10,
    "keyed_parent": 10,
    "sleep": 30,
    "fail": 5,
    "give_up": 2,
    "exit": 0.7,
    "segfault": 0.7,
    "ignore_term": 0.7,
    "leave_children": 1,
    "hold_gil": 0.3,
    "spin": 0.7,
    "exhaust_memory": 1,
    "poison": 0.3,
    "fork_and_exit": 1,
    "fork_and_raise": 1,
    "fork_and_return": 1,
}
