"""What docs/deploy.md and its files name exists, and their numbers fit the defaults."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context

from orpheus.config.load import load_settings
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError, DatabaseUnusable, ExitCode
from orpheus.supervisor.cli.app import orpheus

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "docs" / "deploy"
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
UNIT = (DEPLOY / "orpheus.service").read_text(encoding="utf-8")
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
ALL = {"page": PAGE, "unit": UNIT, "Containerfile": CONTAINERFILE, "compose": COMPOSE}
PROGRAM = "/opt/orpheus/.venv/bin/orpheus"
SUPERVISOR = Settings().supervisor


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys as they are written
    parser.read_string(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]
    return parser["Service"]


def test_the_unit_starts_the_supervisor_where_the_page_puts_it() -> None:
    command = service()["ExecStart"].split()
    assert command[0] == PROGRAM
    assert f"python3 -m venv {PROGRAM.removesuffix('/bin/orpheus')}\n" in PAGE
    assert command[1] == "--config" and command[2] in PAGE
    assert service()["WorkingDirectory"] == "/opt/orpheus"
    assert service()["User"] in re.findall(r"useradd .* (\w+)\n", PAGE)


def test_the_unit_gives_the_supervisor_the_time_to_stop_and_to_start() -> None:
    assert float(service()["TimeoutStopSec"]) >= SUPERVISOR.shutdown_deadline + 15
    assert float(service()["TimeoutStartSec"]) > 2 * SUPERVISOR.start_timeout
    assert service()["KillMode"] == "mixed", "TERM is for the supervisor alone"


def test_the_watchdog_allows_more_than_the_slowest_turn_of_the_loop() -> None:
    """The loop reports to systemd twice in each interval."""
    assert float(service()["WatchdogSec"]) > 4 * Settings().heartbeats.interval
    assert (service()["Type"], service()["NotifyAccess"]) == ("notify", "main")


def test_the_exit_codes_are_those_of_the_program() -> None:
    for_a_person = {ConfigurationError.exit_code, DatabaseUnusable.exit_code}
    assert {int(code) for code in service()["RestartPreventExitStatus"].split()} == for_a_person
    assert int(service()["SuccessExitStatus"]) == ExitCode.CUT_SHORT
    assert {int(code) for code in re.findall(r"exit (\d+)", PAGE)} <= for_a_person


def test_a_job_that_is_killed_for_memory_does_not_stop_the_service() -> None:
    assert service()["OOMPolicy"] == "continue"


def test_the_page_s_command_moves_the_database_into_the_state_directory(tmp_path: Path) -> None:
    found = re.search(r"sed -i '(s#.*#)' ", PAGE)
    assert found is not None
    _, old, new, _ = found[1].split("#")
    text = (ROOT / "config" / "orpheus.toml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    moved = tmp_path / "orpheus.toml"
    moved.write_text(text.replace(old, new))
    url = load_settings(moved, (), {}).database.url
    assert url == f"sqlite:////var/lib/{service()['StateDirectory']}/orpheus.db"


def test_the_files_and_commands_that_are_named_exist() -> None:
    links = re.findall(r"\]\((deploy/[^)#]+)\)", PAGE + OPERATIONS)
    assert set(links) == {f"deploy/{file.name}" for file in DEPLOY.iterdir()}
    for text in ALL.values():
        for path in re.findall(r"\b(?:docs|config)/[\w./-]*\w", text):
            assert (ROOT / path).exists(), path
        for command in re.findall(
            r'(?:\bexec orpheus|bin/|CMD \[")orpheus(?:",)? "?([a-z]+)', text
        ):
            assert command in orpheus.list_commands(Context(orpheus)), command


def test_only_what_is_locked_with_its_hash_is_installed_beside_the_wheel() -> None:
    installs = re.findall(r"pip install (--.*)", CONTAINERFILE + PAGE)
    assert len(installs) == 5
    for options in installs:
        if "--require-hashes" in options:
            assert re.search(r"-r requirements(-build)?\.lock$", options)
        else:
            assert "--no-deps --no-index" in options and options.endswith(".whl")


def test_the_image_keeps_its_database_in_its_volume() -> None:
    found = re.search(r"^ENV (\w+)=(\S+)$", CONTAINERFILE, re.MULTILINE)
    assert found is not None
    url = load_settings(None, (), {found[1]: found[2]}).database.url
    assert url == "sqlite:////data/orpheus.db"
    assert "\nVOLUME /data\n" in CONTAINERFILE and "- data:/data\n" in COMPOSE


def test_the_image_does_not_run_as_root_and_is_stopped_by_term() -> None:
    assert "\nUSER orpheus\n" in CONTAINERFILE
    assert "\nSTOPSIGNAL SIGTERM\n" in CONTAINERFILE
    assert '\nENTRYPOINT ["orpheus"]\n' in CONTAINERFILE


def test_containers_have_the_time_to_stop() -> None:
    graces = re.findall(r"(?:stop_grace_period: |--stop-timeout )(\d+)", COMPOSE + PAGE)
    assert len(graces) == 2
    assert all(float(grace) > SUPERVISOR.shutdown_deadline + 5 for grace in graces)


def test_what_others_can_reach_asks_for_a_token(tmp_path: Path) -> None:
    environment = dict(re.findall(r"^      (ORPHEUS_\w+): (\S+)$", COMPOSE, re.MULTILINE))
    assert environment["ORPHEUS_API__HOST"] == "0.0.0.0"
    assert environment["ORPHEUS_API__TOKEN_FILE"] in PAGE
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("x" * 64)
    environment["ORPHEUS_API__TOKEN_FILE"] = str(token)
    port = load_settings(None, (), environment).api.port
    (published,) = re.findall(r"^    ports:\n      - (\S+)$", COMPOSE, re.MULTILINE)
    assert published == f"127.0.0.1:{port}:{port}"
    del environment["ORPHEUS_API__TOKEN_FILE"]
    with pytest.raises(ConfigurationError, match="loopback"):
        load_settings(None, (), environment)


def test_the_settings_on_the_page_are_settings(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("x" * 64)
    file = tmp_path / "orpheus.toml"
    file.write_text(text.replace("/etc/orpheus/token", str(token)))
    settings = load_settings(file, (), {})
    assert settings.api.host == "0.0.0.0"
    assert f"`max_clients` ({settings.api.max_clients})" in PAGE


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        reason = "no systemd-analyze found: install systemd"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    unit = tmp_path / "orpheus.service"
    unit.write_text(UNIT.replace(PROGRAM, sys.executable))
    check = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "notice"},
    )
    faults = [
        line for line in check.stderr.splitlines() if unit.name in line
    ]  # other units have faults of their own
    assert not faults
