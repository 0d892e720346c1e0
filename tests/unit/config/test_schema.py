"""The JSON Schema of the configuration accepts the files of the project, and refuses mistakes."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from orpheus.config.load import checked
from orpheus.config.sources import read_sources
from orpheus.supervisor.cli.init import _CONFIGURATION as STARTER

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "config" / "orpheus.toml").read_text(encoding="utf-8")
EXAMPLES = re.compile(r"^# (?=\[|[a-z_]+ = )", re.MULTILINE)
SCHEMA = json.loads((ROOT / "config" / "orpheus.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)
FILES = {
    "shipped": TEXT,
    "with its examples": EXAMPLES.sub("", TEXT),
    "shop": (ROOT / "examples/shop/config/orpheus.toml").read_text(encoding="utf-8"),
    "starter": EXAMPLES.sub("", STARTER.format(config="")),
    "other spellings": """
        [jobs]
        timeout = 1.5
        [api]
        max_body = 4096
        [queues."a.b"]
        rate = "5/h"
        [[programs]]
        name = "web"
        argv = ["true"]
        ready = { line = "up" }
        """,
}
MISTAKES = [
    '[api]\nprot = 1', "[apis]", "[api]\nport = '8000'", "[api]\nport = 65536",
    "[jobs]\ntimeout = 0",
    '[jobs]\ntimeout = "5 weeks"', "[jobs]\ntimeout = true", '[database]\nurl = "mysql://x"',
    '[supervisor]\non_fatal = "stop"', "[pools.Mail]", "[pools.a]\nqueues = []",
    '[queues.mail]\nrate = "10/sec"', '[[schedules]]\nname = "x"', '[logging]\nlevel = "loud"',
    '[[alerts]]\nname = "x"\non = ["job.fail"]', '[[programs]]\nname = "x"\nargv = "true"',
    '[[commands]]\nname = "x"\nargv = []', '[api]\nmax_body = "1 parsec"',
]  # fmt: skip


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_the_schema_accepts_the_files_of_the_project(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize("text", MISTAKES)
def test_the_schema_refuses_what_orpheus_refuses(text: str, tmp_path: Path) -> None:
    assert not VALIDATOR.is_valid(tomllib.loads(text))
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    assert checked(read_sources(file, (), {}))[1] != []


def test_every_setting_has_its_comment_and_its_default_as_it_is_written() -> None:
    keys = [
        (name, key)
        for name, table in SCHEMA["$defs"].items()
        for key, entry in table.get("properties", {}).items()
        if "description" not in entry and name not in ("Ready", "Alive")  # tables within a line
    ]
    assert set(keys) == {
        ("Alert", "type"), ("Alert", "payload"), ("Schedule", "every"),  # excluded by another
        ("Api", "tokens"), ("Api", "proxy_auth"),  # tables
    }  # fmt: skip
    assert SCHEMA["$defs"]["Jobs"]["properties"]["timeout"]["default"] == "15m"


@pytest.mark.parametrize("text", [TEXT, STARTER])
def test_the_first_line_names_the_schema(text: str) -> None:
    assert text.startswith("#:schema ./orpheus.schema.json\n")
