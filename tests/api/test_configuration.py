"""GET and PUT /config: what is in force and why, and a checked replacement of the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.hidden import MASK
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import state_files
from tests.audit_log import entries_of

TEXT = """# Kept.
[api]
port = 1 # also kept

[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush"}
"""
SECOND = TEXT.replace("port = 1", "port = 2").replace("hush", MASK)
ALERT = """
[[alerts]]
name = "down"
on = ["worker.fatal"]
type = "add"
payload = {{text = "{}"}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orpheus.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def state(tmp_path: Path) -> StateFiles:
    return state_files(f"sqlite:///{tmp_path}/data/configured.db")


@pytest.fixture
def api(start: Callable[..., Any], path: Path, state: StateFiles) -> Any:
    editor = ConfigurationFile(path, ["api.max_clients=7"], {}, state)
    return start(configuration=lambda: editor, supervised=True)


@pytest.fixture
def put(api: Any) -> Callable[..., Any]:
    def put(body: Any, query: str = "", etag: str | None = "*") -> Any:
        headers = {} if etag is None else {"If-Match": etag}
        return api.client.put(f"/config{query}", json=body, headers=headers)

    return put


def refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


def versions_of(api: Any) -> list[dict[str, Any]]:
    answer = api.client.get("/config/versions")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_the_settings_are_told_with_where_they_come_from_and_without_secrets(
    api: Any, path: Path
) -> None:
    answer = api.client.get("/config")
    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{told["etag"]}"'
    settings = {one["key"]: (one["value"], one["origin"]) for one in told["settings"]}
    assert settings["api.port"] == (1, f"{path}:3")
    assert settings["api.max_clients"] == (7, "--set")
    assert settings["jobs.timeout"] == (900.0, "default")
    assert (told["path"], told["problems"], told["rejected"]) == (str(path), [], None)
    assert "hush" not in answer.text
    assert MASK in told["text"]


def test_a_text_replaces_the_file_and_keeps_its_secrets(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    shown = api.client.get("/config")
    text = shown.json()["text"].replace("port = 1", "port = 24242")
    answer = put({"text": text, "reason": "a busy week"}, etag=shown.headers["ETag"])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["written"], told["changed"], told["restarts"]) == (True, ["api.port"], ["api"])
    assert "2 seconds" in told["takes_effect"]
    assert "hush" not in answer.text
    assert path.read_text() == TEXT.replace("port = 1", "port = 24242")
    assert path.with_name("orpheus.toml.bak").read_text() == TEXT
    assert answer.headers["ETag"] == api.client.get("/config").headers["ETag"]
    (row,) = api.client.get("/audit").json()["items"]
    assert (row["action"], row["target"], row["count"]) == ("configure", "configuration", 1)
    assert (row["by"], row["reason"]) == ("api:127.0.0.1", "a busy week")
    assert (row["before"], row["after"]) == ("version 1", "version 2: api.port")
    assert "24242" not in json.dumps(row)


def test_a_check_tells_all_and_writes_nothing(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    wrong = {"text": SECOND.replace("port = 2", 'port = "x"\nprot = 1')}
    told = put(wrong, "?check=true", None).json()
    assert [(p["key"], p["line"]) for p in told["problems"]] == [("api.port", 3), ("api.prot", 4)]
    assert (told["written"], told["changed"], told["text"]) == (False, None, None)
    body = refused(put(wrong), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/text", "/text"]
    assert body["errors"][0]["detail"].startswith("line 3: api.port: must be")
    text = f"{SECOND}[pools.default]\nworkers = 0\n"
    good = put({"text": text}, "?check=true", None).json()
    assert good["stops"] == [f"default-{n + 1}" for n in range(len(good["stops"]))] != []
    assert good["written"] is False
    assert path.read_text() == TEXT
    assert entries_of(api.store, 5) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{SECOND}[jobs]\nmodules = ['os']\n",
        SECOND.replace("true", "rm"),
    ],
)
def test_what_names_code_is_refused(put: Callable[..., Any], path: Path, text: str) -> None:
    body = refused(put({"text": text}), 403)
    assert ": cannot be changed here, as it names " in body["detail"]
    assert path.read_text() == TEXT


def test_a_text_needs_to_say_what_it_replaces(put: Callable[..., Any]) -> None:
    assert "If-Match" in refused(put({"text": TEXT}, etag=None), 428)["detail"]


@pytest.mark.parametrize("etag", ['"other"', "other", 'W/"other"', '"a", "b"', ""])
def test_a_file_that_is_not_what_was_seen_is_left_alone(
    api: Any, put: Callable[..., Any], path: Path, etag: str
) -> None:
    assert "read it again" in refused(put({"text": SECOND}, etag=etag), 412)["detail"]
    assert path.read_text() == TEXT
    seen = api.client.get("/config").headers["ETag"]
    assert put({"text": SECOND}, etag=f"{etag or 'x'}, {seen}").status_code == 200


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({}, ""),
        ({"text": "x" * 131_073}, ""),
        ({"version": 0}, ""),
        ({"text": TEXT}, "?check="),
        ({"text": TEXT, "reason": ""}, ""),
    ],
)
def test_a_body_that_is_neither_writes_nothing(
    put: Callable[..., Any], path: Path, body: Any, query: str
) -> None:
    refused(put(body, query), 422)
    assert path.read_text() == TEXT


def test_a_full_disk_is_507_and_nothing_is_in_the_trail(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orpheus.config.editing.file.new_file", full)
    answer = put({"text": SECOND})
    refused(answer, 507)
    assert answer.headers["Retry-After"]
    assert entries_of(api.store, 5) == []


def test_a_commit_that_fails_leaves_the_file_and_its_versions_as_they_were(
    api: Any, put: Callable[..., Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        if name == "commit.before":
            raise DatabaseFull("no space is left")

    with monkeypatch.context() as patched:
        patched.setattr("orpheus.shared.storage.sqlite.connection.program_failpoint", fail)
        refused(put({"text": SECOND}), 507)
    assert path.read_text() == TEXT
    assert {one.name for one in path.parent.iterdir()} == {path.name, "data"}
    assert ["port = 1" in one["text"] for one in versions_of(api)] == [True]


# Versions


def test_each_save_is_a_version_and_going_back_is_checked_like_an_edit(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    assert versions_of(api) == []
    put({"text": SECOND, "reason": "a busy week"})
    newest, first = versions_of(api)
    assert (newest["version"], newest["by"], newest["reason"]) == (
        2, "api:127.0.0.1", "a busy week",
    )  # fmt: skip
    assert (first["version"], first["by"], first["reason"]) == (1, "file", None)
    assert (newest["in_file"], first["in_file"], first["in_force"]) == (True, False, False)
    assert MASK in first["text"] and "hush" not in first["text"]
    told = put({"version": 1}, "?check=true", None).json()
    assert (told["changed"], told["restarts"], told["written"]) == (["api.port"], ["api"], False)
    assert put({"version": 1}, etag=None).status_code == 428, "it replaces a whole text"
    assert put({"version": 1, "reason": "it was better"}).json()["written"] is True
    assert path.read_text(encoding="utf-8") == TEXT, "with its secret"
    (row, _) = api.client.get("/audit").json()["items"]
    assert (row["target"], row["count"]) == ("configuration, back to version 1", 1)
    assert put({"version": 7}, "?check=true").status_code == 404


def test_a_guessed_secret_is_confirmed_by_no_answer(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    path.write_text(TEXT + ALERT.format("token-1"), encoding="utf-8")
    told = []
    for guess in ("token-1", "token-2"):
        text = TEXT.replace("hush", MASK) + ALERT.format(guess)
        answer = put({"text": text})
        assert answer.status_code == 200, answer.text
        back = put({"version": 1}, "?check=true").json()
        told.append((answer.json()["changed"], back["changed"], versions_of(api)[0]["in_file"]))
    assert told[0] == told[1] == (["alerts"], [], True)


# The whole system


def test_the_supervisor_takes_what_was_put(
    start_system: Callable[..., Any], tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[pools.default]\nworkers = 1 # few\n")
    system = start_system(config=path)
    system.wait_until_ready()
    told = system.get("/config")
    origins = {one["key"]: one["origin"] for one in told["settings"]}
    assert (told["path"], origins["api.port"]) == (str(path), "--set")
    assert told["in_force"]["text"] == "File and running configuration match."
    edit = {"text": "[pools.default]\nworkers = 2 # few\n", "reason": "more"}
    headers = {"If-Match": f'"{told["etag"]}"'}
    answer = system.client.put("/config", json=edit, headers=headers)
    assert answer.json()["starts"] == ["default-2"]
    wait_for(lambda: "default-2" in system.workers(), "the second worker")
    # A file that checks but cannot be taken: its reason is told here, too.
    path.write_text("[pools.default]\nworkers = 2\n[jobs]\nmodules = ['no_such_module']\n")
    rejected = wait_for(lambda: system.get("/config")["rejected"], "the rejection")
    assert "no_such_module" in rejected
