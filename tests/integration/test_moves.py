"""`orpheus db move` with real processes: killed on the way, resumed, and there and back again."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import open_store
from tests.conftest import ROOT
from tests.integration.commands import command

PASSWORD = "not-to-be-shown"


@pytest.fixture
def orpheus(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Starts a program that meets failpoints in the folder `points`, until it ends."""
    (tmp_path / "points").mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
    environment |= {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(tmp_path / "points")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orpheus", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    return run


def test_a_database_is_moved_to_postgresql_and_back_whoever_is_killed(
    start_system: Callable[..., Any],
    postgresql_url: str,
    tmp_path: Path,
    orpheus: Callable[..., subprocess.CompletedProcess[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = postgresql_url.replace("orpheus@", f"orpheus:{PASSWORD}@")
    file, back = (f"sqlite:///{tmp_path}/{name}/orpheus.db" for name in ("first", "back"))
    state = f"database.state_dir={tmp_path}/state"
    options = ("--set", state)
    told = []

    first = start_system(f"database.url={file}", state, "pools.default.workers=1")
    first.wait_until_ready()
    done_id = first.submit("wordcount", {"text": "é 🦉 three"})
    assert first.wait_for_job(done_id)["result"] == {"count": 3}
    pending_id = first.submit("sum_range", {"n": 10}, delay="1h", unique_key="one")
    running = command(capsys, "db", "move", file, server, *options)
    assert (running.returncode, "stop it first" in running.stderr) == (75, True), running.stderr
    assert first.stop() == 0

    (tmp_path / "points" / "move.batch_copied").write_text("kill")
    killed = orpheus("db", "move", file, server, *options)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for url in (file, server):
        refused = orpheus("--set", f"database.url={url}", *options)
        assert refused.returncode == 74, refused.stderr
        assert "is unfinished: go on with `orpheus db move`" in refused.stderr
        told.append(refused)
    moved = command(capsys, "db", "move", file, server, *options)
    assert moved.returncode == 0, moved.stderr
    assert "jobs" in moved.stdout and moved.stdout.count("\n") > 18
    left = orpheus("--set", f"database.url={file}", *options)
    assert (left.returncode, "was moved to" in left.stderr) == (74, True), left.stderr

    second = start_system(f"database.url={server}", state, "pools.default.workers=1")
    second.wait_until_ready()
    assert second.get(f"/jobs/{done_id}")["result"] == {"count": 3}
    assert second.submit("sum_range", {"n": 10}, unique_key="one") == pending_id
    second.client.post(f"/jobs/{pending_id}/run").raise_for_status()
    assert second.wait_for_job(pending_id)["result"] == {"sum": 55}
    assert second.stop() == 0

    again = command(capsys, "db", "move", server, back, *options, "--json")
    assert again.returncode == 0, again.stderr
    with contextlib.closing(open_store(back, state_dir=str(tmp_path / "state"))) as store:
        assert store.jobs.get(pending_id).status is Status.DONE
        assert store.jobs.submit(NewJob("sum_range", '{"n": 1}')).job.id == pending_id + 1
    verified = command(capsys, "db", "verify", "--set", f"database.url={back}", *options)
    assert verified.returncode == 0, verified.stdout
    commands = [one.stdout + one.stderr for one in (*told, moved, left, again, running)]
    assert PASSWORD not in "".join([*commands, second.log()])
