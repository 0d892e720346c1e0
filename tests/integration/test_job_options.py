"""What a job may be asked, from a client to workers under a supervisor, on both databases."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus import Client
from orpheus.shared.job_types.request import Options
from tests.machine import wait_until

JOBS = """
from orpheus import Context, job

@job(retry_on={TimeoutError: 0}, backoff_base="1h", retention=0)
def impatient(ctx: Context) -> int:
    if ctx.attempt < 3:
        raise TimeoutError("too slow")
    return ctx.attempt

@job
def note(text: str) -> str:
    return text
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def client(
    request: pytest.FixtureRequest, start_system: Callable[..., Any], tmp_path: Path
) -> Iterator[Client]:
    """A client of a system that runs these jobs."""
    settings = [
        'jobs.modules=["asked_jobs"]',
        "pools.default.workers=1",
        'pools.default.queues=["default"]',
    ]
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        settings += [f"database.url={url}", f"database.state_dir={tmp_path}/state"]
    (tmp_path / "asked_jobs.py").write_text(JOBS)
    system = start_system(*settings, cwd=tmp_path)
    system.wait_until_ready()
    with Client(system.url) as made:
        yield made


def test_jobs_do_what_they_were_asked(client: Client) -> None:
    gone = client.submit("impatient")
    wait_until(
        lambda: not list(client.jobs(type="impatient")),
        "three attempts without backoff, and its end",
    )
    with pytest.raises(LookupError):
        client.get(gone.id)

    late = client.submit("note", {"text": "late"}, queue="nobody", expires=0.5)
    ended = client.wait(late, timeout=60)
    assert (ended.status, ended.attempt) == ("cancelled", 0)
    assert ended.error is not None and ended.error.type == "Expired"

    asked: Options = {"unique_key": "k", "unique_for": "1h", "on_duplicate": "replace"}
    first = client.submit("note", {"text": "first"}, **asked | {"delay": "1h"})
    second = client.submit("note", {"text": "second"}, **asked)
    assert second.id == first.id
    assert client.wait(second, timeout=60).result == "second"
    assert client.submit("note", {"text": "third"}, **asked).result == "second"
    assert [job.id for job in client.jobs(unique_key="k")] == [first.id]
