"""The same request in a FastAPI application that does nothing else: what `POST /jobs` cannot beat.

`python -m benchmarks.bare_post PORT` serves it, on uvicorn with the HTTP parser that Orpheus uses.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.live import body, connect, post
from benchmarks.servers import free_port, stop

app = FastAPI()


class Job(BaseModel):
    """What the benchmark submits."""

    type: str
    queue: str
    payload: dict[str, Any]


@app.post("/jobs", status_code=201)
async def submit(job: Job) -> dict[str, Any]:
    """Answer at once."""
    return {"id": 1, **job.model_dump()}


@contextmanager
def bare_application() -> Iterator[int]:
    """Serve it in a process of its own; the port, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare_post", str(port)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        while True:
            with suppress(ConnectionRefusedError):
                post(connect(port), "/jobs", body(0))
                break
            if process.poll() is not None:
                raise SystemExit(f"the bare application ended with {process.returncode}")
        yield port
    finally:
        stop(process)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        access_log=False,
        log_level="warning",
    )
