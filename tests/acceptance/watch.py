"""Submits a job by curl and prints the kinds of its events, in the order in which /ws sends them.

usage: python tests/acceptance/watch.py http://127.0.0.1:8000
"""

import json
import subprocess
import sys

from websockets.sync.client import connect

TERMINAL = {"job.done", "job.failed", "job.cancelled"}


def kinds_of_a_new_job(base_url: str) -> list[str]:
    """The kinds of events that a client sees of a job submitted after its hello."""
    with connect(f"ws{base_url.removeprefix('http')}/ws") as client:
        hello = json.loads(client.recv(timeout=10))
        assert hello["type"] == "hello", hello
        body = '{"type": "wordcount", "payload": {"text": "watch me"}}'
        answer = subprocess.run(
            ["curl", "-fsS", "--json", body, f"{base_url}/jobs"],
            capture_output=True,
            check=True,
        )
        job_id = json.loads(answer.stdout)["id"]
        kinds: list[str] = []
        while not TERMINAL & set(kinds):
            frame = json.loads(client.recv(timeout=30))
            kinds += [
                event["kind"]
                for event in frame.get("events", [])
                if event.get("job", {}).get("id") == job_id and event["kind"] != "job.progress"
            ]
        return kinds


if __name__ == "__main__":
    sys.stdout.write(" ".join(kinds_of_a_new_job(sys.argv[1].rstrip("/"))) + "\n")
