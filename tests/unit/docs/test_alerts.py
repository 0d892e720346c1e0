"""docs/alerts.md: its configurations are accepted, its mail is sent, its tables are complete."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.handovers import for_commands, for_database
from orpheus.config.load import load_settings
from orpheus.config.settings import Alert, Settings
from orpheus.shared.domain.alerts import AlertCondition
from orpheus.shared.domain.commands import arguments
from orpheus.shared.explain.alert_texts import NAMES, filled_in, sample_facts
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.shared.storage import TypeRow

PAGE = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NOTE_FAILURE = {
    "type": "object",
    "properties": {
        "job_id": {"type": "integer"},
        "why": {"type": "string"},
        "alert": {"type": "object"},
    },
    "required": ["job_id", "why", "alert"],
    "additionalProperties": False,
}

Load = Callable[[str], Settings]


@pytest.fixture(scope="module")
def built_in() -> list[TypeRow]:
    return describe_types(["orpheus.worker.handlers"], (), 60.0)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_text(text: str) -> Settings:
        path = tmp_path / "orpheus.toml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, (), {})

    return load_text


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split('name = "')[1].split('"')[0])
def test_each_configuration_of_the_page_is_accepted(
    text: str, load: Load, built_in: list[TypeRow]
) -> None:
    settings = load(text)
    schema = json.dumps(NOTE_FAILURE)
    rows = [*built_in, *describe_types((), for_commands(settings), 60.0)]
    rows.append(TypeRow("note_failure", schema, None, None, None, ""))
    types = {row.name: row for row in rows}
    assert refused_entries(types, for_database(settings)) == {}


def test_the_mail_of_the_page_is_sent(load: Load, tmp_path: Path) -> None:
    (text,) = [block for block in BLOCKS if "sendmail" in block]
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f"#!/bin/sh\ncat > {tmp_path}/mail\necho $1 > {tmp_path}/options\n")
    sendmail.chmod(0o755)
    settings = load(text)
    (command,), (rule,) = settings.commands, for_database(settings).alerts
    (sample,) = sample_facts(rule)
    told = {**sample, "text": '$(touch "$HOME/hacked"); `id` %s'}
    payload: dict[str, Any] = filled_in(json.loads(rule.payload), told)
    argv = [argument.replace("/usr/sbin/sendmail", str(sendmail)) for argument in command.argv]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(arguments(argv, payload), check=True, env=environment)
    assert (tmp_path / "mail").read_text() == (
        "To: ops@shop.example\nSubject: Orpheus: backup-failed\n\n"
        f"{told['text']}, at 2026-01-31T12:00:00.000Z\n"
    )
    assert (tmp_path / "options").read_text() == "-t\n"
    assert not (tmp_path / "hacked").exists()


def test_every_key_every_condition_and_every_field_is_told() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`([a-z_.]+)`", " ".join(row.split("|")[1] for row in rows)))
    assert {*Alert.model_fields} <= named
    assert {*AlertCondition} <= named
    assert NAMES - {"alert"} <= named
