"""What must hold between settings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config.checks import is_loopback
from config.settings import Settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

TOKEN = "x" * 32


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (["heartbeats.interval=4s"], "heartbeats.timeout"),
        (["leases.renew_every=11s"], "leases.ttl"),
        (["heartbeats.timeout=17s"], "leases.ttl"),
        (["supervisor.stop_timeout=40s"], "supervisor.stop_timeout"),
        (["supervisor.shutdown_deadline=25s"], "supervisor.stop_timeout"),
    ],
)
def test_timers_that_defeat_each_other_are_refused(
    sets: list[str], key: str, problems: Problems
) -> None:
    (problem,) = problems(sets=sets)
    assert problem.startswith(f"--set: {key}: must be ")


@pytest.mark.parametrize(
    "sets",
    [
        ["heartbeats.interval=3s"],
        ["heartbeats.timeout=16.9s"],
        ["leases.renew_every=10s", "leases.ttl=30s"],
        ["supervisor.stop_timeout=39.9s"],
    ],
)
def test_timers_just_within_their_bounds_are_taken(sets: list[str], load: Load) -> None:
    load(sets=sets)


def test_a_timer_that_is_itself_invalid_is_told_once(problems: Problems) -> None:
    assert len(problems(sets=["heartbeats.interval=x", "heartbeats.timeout=1s"])) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.org"])
def test_an_address_that_others_can_reach_is_refused(host: str, problems: Problems) -> None:
    (problem,) = problems(sets=[f"api.host={host}"])
    assert problem.startswith(f"--set: api.host: {host!r} is not a loopback address")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_needs_none(host: str, load: Load) -> None:
    assert is_loopback(host)
    load(sets=[f"api.host={host}"])


def test_a_token_of_32_characters_in_a_private_file_will_do(
    load: Load, problems: Problems, own_directory: Path
) -> None:
    token = own_directory / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    load(sets=[f"api.token_file={token}"])
    # It is not checked on requests yet, so it opens nothing.
    assert len(problems(sets=["api.host=0.0.0.0", f"api.token_file={token}"])) == 1


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (TOKEN[1:] + "\n\n\n", 0o600, "32 or more characters"),
        (TOKEN, 0o640, "chmod 600"),
        (TOKEN, 0o604, "chmod 600"),
        (None, 0, "cannot be read: No such file"),
    ],
)
def test_a_token_that_protects_nothing_is_refused(
    text: str | None, mode: int, reason: str, problems: Problems, own_directory: Path
) -> None:
    token = own_directory / "token"
    if text is not None:
        token.write_text(text)
        token.chmod(mode)
    (problem,) = problems(sets=[f"api.token_file={token}"])
    assert reason in problem
    assert TOKEN[1:] not in problem
