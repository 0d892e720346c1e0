"""The committed file is the documentation of every setting: complete, and equal to the defaults."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orpheus.config.checks import problems_between
from orpheus.config.load import load_settings
from orpheus.config.problems import known_keys
from orpheus.config.settings import Alive, Settings

FILE = Path(__file__).parents[3] / "config" / "orpheus.toml"
EXAMPLES = (
    ("pools", "default"), ("queues", "mail"), ("schedules", 0), ("commands", 0), ("programs", 0),
    ("outboxes", 0), ("alerts", 0), ("api", "tokens", 0),
)  # fmt: skip
PAYLOADS = {("schedules", 0, "payload"), ("commands", 0, "env"), ("programs", 0, "env")}
EITHER_OR = {  # named beside another, which excludes it
    ("schedules", 0, "every"),
    ("alerts", 0, "type"),
    ("alerts", 0, "payload"),
    ("programs", 0, "ready", "http"),
    ("programs", 0, "ready", "line"),
}
_COMMENTED = re.compile(r"^# (?=\[|[a-z_]+ = )", re.MULTILINE)


def _with_examples() -> str:
    """The file with what it shows as an example put in force."""
    return _COMMENTED.sub("", FILE.read_text(encoding="utf-8"))


def _keys(table: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[Any]:
    for key, value in table.items():
        here = (*path, key)
        yield here
        if isinstance(value, dict) and here not in PAYLOADS:
            yield from _keys(value, here)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _keys(value[0], (*here, 0))


def test_the_file_is_equal_to_the_defaults() -> None:
    assert load_settings(FILE, (), {}).model_dump() == Settings().model_dump()


def test_the_file_shows_every_setting_and_no_other() -> None:
    shown = set(_keys(tomllib.loads(_with_examples())))
    known = {key for example in EXAMPLES for key in known_keys(Settings, (*example, ""))}
    assert shown - {key for key in shown if key in EXAMPLES} == known - EITHER_OR


def test_the_examples_are_valid_and_equal_to_the_defaults() -> None:
    settings = Settings.model_validate(tomllib.loads(_with_examples()))
    plain = Settings()
    assert settings.pools["default"].queues == plain.pools["default"].queues
    queue = settings.queues["mail"]
    assert queue == type(queue)()
    (command,) = settings.commands
    assert command == type(command)(
        name=command.name, argv=command.argv, timeout=60, max_retries=3, retention=604_800
    )
    (program,) = settings.programs
    shown = type(program)(
        name=program.name, argv=program.argv, stop_timeout=25, alive=program.alive
    )
    assert program == shown and program.alive is not None
    assert program.alive == Alive(http=program.alive.http)
    (schedule,) = settings.schedules
    assert (schedule.timezone, schedule.priority, schedule.catch_up) == ("UTC", 0, "one")


def test_every_setting_has_a_line_of_comment() -> None:
    for line in _with_examples().splitlines():
        if re.match(r"[a-z_]+ = ", line):
            assert re.search(r"\s# \S", line), line


def test_the_example_of_an_alert_is_valid_and_shows_the_defaults() -> None:
    settings = Settings.model_validate(tomllib.loads(_with_examples()))
    (alert,) = settings.alerts
    shown = type(alert)(name=alert.name, on=alert.on, within=600, webhook=alert.webhook)
    assert alert == shown
    assert [one for one in problems_between(settings) if one.key[0] == "alerts"] == []
