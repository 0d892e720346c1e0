"""Everything that /openapi.json tells of is called, in ways it allows and in ways it does not.

Schemathesis holds each answer to the document: status, headers, content type, schema; bad input is
refused, good input is taken, nothing is a 5xx, and without the token nothing is told. A seed gives
the same calls again; SCHEMATHESIS_SEED and SCHEMATHESIS_SECONDS try others, or for longer.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.storage import state_files

SEED = os.environ.get("SCHEMATHESIS_SEED", "5")
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "0"))
MOST_EXAMPLES = "8" if SECONDS else "2"
MOST_SECONDS = 400  # 20 on a quiet machine, 120 and more beside a whole run of the tests
RULES = Path(__file__).with_name("schemathesis.toml")
TOKEN = "a-token-of-more-than-32-characters-0"
FEW_COVERED = """
[[operations]] # with --long all are
exclude-name = ["PUT /config", "POST /pools/{name}/scale", "POST /types/{name}/release"]
phases.coverage.enabled = false
"""
"""The phase of coverage, which tries each bound, missing header and wrong method, takes more than
all others, so in every run only three have it that write and are not in test_bad_input.py. For the
rest, that file shows less: chosen fields of jobs, batches, bulk actions, actions and queries."""
CONFIGURATION = '[[commands]]\nname = "pay"\nargv = ["true"]\nenv = {KEY = "hush"}\n'


def run(url: str, folder: Path, *options: str) -> None:
    """Fails with what Schemathesis says of the API at `url`, if it finds anything."""
    rules = folder / "rules.toml"
    rules.write_text(RULES.read_text() + ("" if SECONDS else FEW_COVERED))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(rules)),
        *("run", f"{url}/openapi.json", "--checks", "all", "--seed", SEED, "--no-color"),
        *("--max-examples", MOST_EXAMPLES, "--request-timeout", "30", "--continue-on-failure"),
        *("--warnings", "off", *options),
    ]
    if SECONDS:  # the phases are repeated until it is over
        command += ["--max-time", str(SECONDS)]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS + MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def configured(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Starts an API with all that can be called: types, jobs, slots, a configuration."""
    monkeypatch.setattr("orpheus.api.routes.jobs.LONGEST_WAIT_S", 0.2)
    monkeypatch.setattr("orpheus.api.http.auth.WRONG_TOKEN_S", 0.0)
    monkeypatch.setattr("orpheus.shared.operations.supervisor_requests._ANSWER_WITHIN_S", 0.1)
    path = tmp_path / "orpheus.toml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    editor = ConfigurationFile(path, [], {}, state_files(f"sqlite:///{path.parent}/o.db"))

    def start_one(**options: Any) -> Any:
        api = start(configuration=lambda: editor, supervised=True, **options)
        api.store.types.replace(describe_types(("orpheus.worker.handlers",), (), 60))
        slots = [api.slot("default-1", SlotState.READY), api.slot("api", SlotState.READY, Role.API)]
        api.store.processes.put_slots(slots)
        heard_ms = api.store.clock.monotonic_ms() + 1000 * (SECONDS + MOST_SECONDS)
        api.process("default-1", last_beat_mono_ms=heard_ms)  # it is not silent all that time
        return api

    return start_one


@pytest.mark.long
@pytest.mark.timeout(SECONDS + MOST_SECONDS + 20)
def test_without_a_token(configured: Callable[..., Any], tmp_path: Path) -> None:
    api = configured()
    run(str(api.client.base_url), tmp_path)


@pytest.mark.timeout(SECONDS + MOST_SECONDS + 20)
def test_with_a_token(configured: Callable[..., Any], tmp_path: Path) -> None:
    api = configured(token=TOKEN)
    run(str(api.client.base_url), tmp_path, "--header", f"Authorization: Bearer {TOKEN}")
