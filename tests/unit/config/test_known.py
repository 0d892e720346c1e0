"""config/known.py: which settings of a running supervisor a command may rely on."""

import json
from pathlib import Path

import pytest

from orpheus.config.handovers import for_command_line
from orpheus.config.known import digest_of, known_handover, named_database
from orpheus.config.load import load_settings
from orpheus.config.running_settings import keep_running_settings
from orpheus.config.settings import Database
from orpheus.config.sources import Sources, read_sources
from orpheus.shared.process.living_note import write_note

TEXT = """
[database]
url = "sqlite:///jobs/orpheus.db"
[pools.mail]
workers = 3
queues = ["mail"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "orpheus.toml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def kept(file: Path, tmp_path: Path) -> Path:
    """What this process keeps as the supervisor that was started with the file."""
    path = tmp_path / "supervisor.json"
    keep_running_settings(path, load_settings(file, (), {}))
    return path


def given(file: Path, *sets: str, **environ: str) -> Sources:
    return read_sources(file, sets, environ)


def test_what_was_given_the_same_is_known(file: Path, kept: Path) -> None:
    handover = known_handover(kept, given(file))
    assert handover == for_command_line(load_settings(file, (), {}))
    assert handover is not None
    assert handover.storage.pools == {"mail": ("mail",)}


def test_the_same_file_elsewhere_says_the_same(file: Path, kept: Path) -> None:
    assert known_handover(kept, given(file.rename(file.with_name("other.toml")))) is not None


def test_the_order_and_the_way_of_writing_do_not_matter(file: Path, kept: Path) -> None:
    file.write_text(
        "pools.mail.queues = ['mail']\npools.mail.workers = 3\n"
        '# a comment\ndatabase = { url = "sqlite:///jobs/orpheus.db" }\n'
    )
    assert known_handover(kept, given(file)) is not None


@pytest.mark.parametrize(
    "sources",
    [
        lambda file: given(file, "pools.mail.workers=4"),
        lambda file: given(file, ORPHEUS_JOBS__TIMEOUT="5"),
        lambda file: given(file, "no setting"),
    ],
)
def test_what_was_given_anything_else_is_not(sources: object, file: Path, kept: Path) -> None:
    assert callable(sources)
    assert known_handover(kept, sources(file)) is None


@pytest.mark.parametrize("text", ["[pools.mail", "[pools.mail]\nworkers = 5\n", "odd = 1\n"])
def test_a_changed_file_is_not_known(text: str, file: Path, kept: Path) -> None:
    file.write_text(TEXT.replace("workers = 3\n", "") + text)
    assert known_handover(kept, given(file)) is None


def test_nothing_is_known_of_settings_with_a_problem(file: Path, tmp_path: Path) -> None:
    settings = load_settings(file, (), {})
    settings.remember_given("")
    keep_running_settings(tmp_path / "supervisor.json", settings)
    assert known_handover(tmp_path / "supervisor.json", given(file)) is None


def test_a_password_is_not_kept(file: Path, tmp_path: Path) -> None:
    url = "postgresql://me:secret@localhost/jobs"
    settings = load_settings(file, (f"database.url={url}",), {})
    keep_running_settings(tmp_path / "supervisor.json", settings)
    assert "secret" not in (tmp_path / "supervisor.json").read_text()
    assert known_handover(tmp_path / "supervisor.json", given(file, f"database.url={url}")) is None


def test_a_supervisor_that_has_ended_counts_no_more(file: Path, kept: Path) -> None:
    write_note(kept, {"settings": {}})
    text = kept.read_text()
    kept.write_text(text.replace('"created_s": ', '"created_s": 1'))
    assert known_handover(kept, given(file)) is None


@pytest.mark.parametrize(
    "commands", [None, 7, {}, {"given": "DIGEST"}, {"given": "DIGEST", "handover": {"other": 1}}]
)
def test_what_another_version_keeps_is_not_known(commands: object, file: Path, kept: Path) -> None:
    text = json.dumps(commands).replace("DIGEST", digest_of(given(file)))
    write_note(kept, {"settings": {}, "commands": json.loads(text)})
    assert known_handover(kept, given(file)) is None


def test_the_database_is_found_before_any_check(file: Path) -> None:
    assert named_database(given(file)) == ("sqlite:///jobs/orpheus.db", "")
    assert named_database(given(file, "database.state_dir=here"))[1] == "here"  # type: ignore[index]
    assert named_database(Sources()) == (Database().url, Database().state_dir)
    assert named_database(given(file, "database.url=7")) is None
    assert named_database(given(file, "database=7")) is None


def test_a_digest_tells_values_apart_that_look_alike(file: Path) -> None:
    digests = {digest_of(given(file, f"api.port={port}")) for port in ("8000", '"8000"', "8000.0")}
    assert len(digests) == 3
