"""Alerts of a running Orpheus: webhooks, commands, conditions, and the dead man's switch."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.supervisor.__main__ import run
from tests.http_receiver import Receiver
from tests.integration.supervisor.configured import Configured
from tests.machine import slowness

StartSystem = Callable[..., Any]
WaitFor = Callable[..., Any]
POOL = "[pools.default]\nworkers = 1\n"
FAILING = {"failures": 1, "permanent": True}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def alert(name: str, *on: str, **more: object) -> str:
    """The TOML of a rule that fires at most once in a second."""
    fields = {"name": name, "on": [*on], "every": 1, **more}
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
    return "[[alerts]]\n" + "".join(lines)


def told(receiver: Receiver, path: str) -> list[dict[str, Any]]:
    """The alerts that were posted to a path."""
    return [json.loads(body) for _, at, _, body in receiver.requests if at == path]


def test_rules_are_in_force_when_the_file_is_saved_and_tell_by_webhook_and_by_command(
    start_system: StartSystem,
    tmp_path: Path,
    receiver: Receiver,
    wait_for: WaitFor,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = tmp_path / "notes"
    script = 'printf "%s\\n" "$1" >> "$2"'
    argv = ["sh", "-c", script, "note", "{text}", str(notes)]
    command = f'[[commands]]\nname = "note"\nargv = {json.dumps(argv)}\n'
    running = Configured(start_system, tmp_path, POOL + command)
    system, pids = running.system, running.pids()
    system.wait_for_job(system.submit("flaky", FAILING))
    rules = alert("failed", "job.failed", types=["flaky"], webhook=f"{receiver.url}/T0K3N")
    rules += alert("refused", "config.rejected", type="note", error="message")
    saved_s = time.monotonic()
    running.save(POOL + command + rules)
    wait_for(lambda: len(system.get("/alerts")["items"]) == 2, "the rules")
    assert time.monotonic() - saved_s < 2 * slowness()
    job_id = system.submit("flaky", FAILING)
    wait_for(lambda: told(receiver, "/T0K3N"), "the alert")
    running.save(POOL + command + rules + "[nonsense]\n")
    wait_for(notes.exists, "the note")
    wait_for(lambda: notes.read_text().endswith("\n"), "its line")
    assert notes.read_text().startswith("refused: the configuration was rejected: ")
    assert "nonsense: unknown key" in notes.read_text()
    (fact,) = told(receiver, "/T0K3N")
    assert (fact["rule"], fact["job"], fact["type"], fact["held_back"]) == (
        "failed", job_id, "flaky", 0,
    )  # fmt: skip
    assert fact["text"] == f"failed: job {job_id} (flaky) failed: PermanentError"
    assert fact["error"] == "PermanentError", "no more leaves the house, unless the rule says so"
    assert running.pids() == pids
    url = f"database.url=sqlite:///{system.database}"
    assert run(["alerts", "--json", "--set", url]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {one["name"]: one["held_back"] for one in items} == {"failed": 0, "refused": 0}
    assert all(one["last_fired"] and one["last_job"] for one in items)
    assert "T0K3N" not in system.log()
