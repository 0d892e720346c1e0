"""A handler, its retries and its children get what is hidden; no process writes it into its log."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus import Client
from orpheus.shared.domain.hidden import MASK

SECRET = "hush-4711"
JOBS = """
import os
import signal

from orpheus import Context, job

@job(hide=("card", "result.token"), backoff_base=0)
def pay(ctx: Context, card: str) -> dict[str, str]:
    ctx.log.info("paying", card=card)
    if ctx.attempt == 1:
        raise TimeoutError("too slow")
    ctx.enqueue(check.new(card=card, of={"password": card}))
    return {"token": card}

@job(hide=("card",))
def check(card: str, of: dict[str, str]) -> bool:
    return card == "hush-4711" == of["password"]

@job(hide=("card",), max_retries=0)
def die(ctx: Context, card: str) -> None:
    ctx.log.info("dying", card=card)
    if not os.fork():
        ctx.log.info("in a child", card=card)
        os._exit(0)
    os.wait()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_only_the_job_gets_what_is_hidden(start_system: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "paying_jobs.py").write_text(JOBS)
    system = start_system(
        'jobs.modules=["paying_jobs"]',
        "jobs.watch=true",
        "pools.default.workers=1",
        'privacy.hide=["payload.*.password"]',
        cwd=tmp_path,
    )
    system.wait_until_ready()
    with Client(system.url) as client:
        paid = client.wait(client.submit("pay", {"card": SECRET}), timeout=60)
        assert (paid.attempt, paid.payload) == (2, {"card": MASK})
        assert paid.result == {"token": MASK}
        (child,) = client.jobs(type="check")
        assert client.wait(child, timeout=60).result is True
        assert client.get(child).payload == {"card": MASK, "of": {"password": MASK}}
        dead = client.wait(client.submit("die", {"card": SECRET}), timeout=60)
        assert dead.attempts[0].outcome == "crashed"
        said = list(client.logs(dead))
        assert [line.fields for line in said] == [{"card": MASK}, {}]
        assert said[1].line == f'in a child {{"card":"{MASK}"}}'
        assert SECRET not in repr([*client.events(dead), dead, *client.logs(paid)])
        assert SECRET not in system.client.get("/workers").text
    log = system.log()
    assert "paying" in log and MASK.encode("unicode_escape").decode() in log
    assert SECRET not in log


def test_a_path_of_no_parameter_is_refused_when_the_module_is_imported(tmp_path: Path) -> None:
    (tmp_path / "wrong_jobs.py").write_text(
        "from orpheus import job\n@job(hide=('crad',))\ndef pay(card: str) -> None: ...\n"
    )
    command = [sys.executable, "-m", "orpheus.worker", "--describe", "--module", "wrong_jobs"]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78
    assert "hide: 'crad': there is no parameter 'crad'" in done.stderr
