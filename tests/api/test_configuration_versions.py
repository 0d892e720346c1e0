"""GET /config/versions, going back to one by PUT /config, and what is in force in any state."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing import file
from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.toml import masked
from orpheus.config.editing.versions import Versions
from orpheus.config.load import load_settings
from orpheus.config.running_settings import keep_running_settings
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.operations.configuration import MASK
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import state_files

TEXT = """[api]
port = 1

[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush"}
"""
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
    return state_files(f"sqlite:///{tmp_path}/configured.db")


@pytest.fixture
def supervisor_takes(path: Path, state: StateFiles) -> Callable[[], None]:
    """Keep the file as a supervisor that takes it in force does; this process stands for it."""

    def take() -> None:
        text = path.read_text(encoding="utf-8")
        version = Versions(state.configurations, path).keep_found(text)
        keep_running_settings(
            state.running_settings, load_settings(path, (), {}), 1_700_000_000_000, version.number
        )

    return take


@pytest.fixture
def api(start: Callable[..., Any], path: Path, state: StateFiles) -> Any:
    editor = ConfigurationFile(path, (), {}, state)
    return start(configuration=lambda: editor)


@pytest.fixture
def put(api: Any) -> Callable[..., Any]:
    def put(body: Any, query: str = "", etag: str | None = "*") -> Any:
        headers = {} if etag is None else {"If-Match": etag}
        return api.client.put(f"/config{query}", json=body, headers=headers)

    return put


def versions_of(api: Any) -> list[dict[str, Any]]:
    answer = api.client.get("/config/versions")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_each_save_is_a_version_with_who_and_why_and_the_text_before_it(
    api: Any, put: Callable[..., Any]
) -> None:
    assert versions_of(api) == []
    put({"set": {"api.port": 2}, "reason": "a busy week"}, etag=None)
    newest, first = versions_of(api)
    assert (newest["version"], newest["by"], newest["reason"]) == (
        2, "api:127.0.0.1", "a busy week",
    )  # fmt: skip
    assert (first["version"], first["by"], first["reason"]) == (1, "file", None)
    assert (newest["in_file"], first["in_file"]) == (True, False)
    assert "port = 1" in first["text"]


def test_a_text_that_did_not_come_into_the_file_is_no_version(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        if name == "commit.before":
            raise DatabaseFull("no space is left")

    with monkeypatch.context() as patched:
        patched.setattr("orpheus.shared.storage.sqlite.connection.program_failpoint", fail)
        assert put({"set": {"api.port": 2}}).status_code == 507
    assert [("port = 1" in one["text"], one["in_file"]) for one in versions_of(api)] == [
        (True, True)
    ]


def test_no_secret_of_a_version_is_told(api: Any, put: Callable[..., Any]) -> None:
    put({"set": {"api.port": 2}}, etag=None)
    answer = api.client.get("/config/versions")
    assert "hush" not in answer.text
    assert MASK in answer.json()["items"][1]["text"]


def test_a_version_is_masked_once_however_often_it_is_shown(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []

    def counted(text: str) -> tuple[str, int]:
        texts.append(text)
        return masked(text)

    put({"set": {"api.port": 2}}, etag=None)
    put({"set": {"api.port": 3}}, etag=None)
    file.masked_or_none.cache_clear()
    monkeypatch.setattr(file, "masked", counted)
    assert len(versions_of(api)) == 3
    assert sorted(texts) == sorted(set(texts))
    assert len(texts) == 3
    versions_of(api)
    assert len(texts) == 3
    put({"set": {"api.port": 4}}, etag=None)
    texts.clear()
    versions_of(api)
    assert len(texts) == 1


def test_texts_are_masked_for_one_caller_at_a_time(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[str] = []
    most = 0

    def slow(text: str) -> tuple[str, int]:
        nonlocal most
        at_work.append(text)
        most = max(most, len(at_work))
        time.sleep(0.05)
        at_work.remove(text)
        return text, 0

    put({"set": {"api.port": 2}}, etag=None)
    file.masked_or_none.cache_clear()
    monkeypatch.setattr(file, "masked", slow)
    with ThreadPoolExecutor(3) as callers:
        list(callers.map(lambda _: versions_of(api), range(3)))
    file.masked_or_none.cache_clear()
    assert most == 1


def test_going_back_is_checked_like_an_edit_and_then_brings_every_byte_again(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    put({"set": {"api.port": 2}}, etag=None)
    told = put({"version": 1}, "?check=true", None).json()
    assert (told["changed"], told["restarts"], told["written"]) == (["api.port"], ["api"], False)
    assert put({"version": 1}, etag=None).status_code == 428, "it replaces a whole text"
    assert put({"version": 1, "reason": "it was better"}).json()["written"] is True
    assert path.read_text(encoding="utf-8") == TEXT
    newest, *_, first = versions_of(api)
    assert (newest["version"], newest["reason"], newest["text"]) == (
        3, "it was better", first["text"],
    )  # fmt: skip
    (row, _) = api.client.get("/audit").json()["items"]
    assert (row["target"], row["count"]) == ("configuration, back to version 1", 1)


def test_going_back_loses_nothing_of_an_editor_that_was_quicker(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    put({"set": {"api.port": 2}}, etag=None)
    seen = api.client.get("/config").headers["ETag"]
    path.write_text(TEXT + "# by another\n", encoding="utf-8")
    assert put({"version": 1}, etag=seen).status_code == 412
    assert path.read_text(encoding="utf-8").endswith("# by another\n")
    assert put({"version": 1}).status_code == 200
    assert [one["by"] for one in versions_of(api)] == [
        "api:127.0.0.1", "file", "api:127.0.0.1", "file",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [{"version": 7}, {"version": 2**63 - 1}])
def test_a_version_that_is_not_there_is_404(put: Callable[..., Any], body: Any) -> None:
    assert put(body, "?check=true").status_code == 404


@pytest.mark.parametrize("body", [{"version": 0}, {"version": "1"}, {"version": 1, "text": ""}, {}])
def test_a_body_that_is_none_of_the_three_is_422(put: Callable[..., Any], body: Any) -> None:
    assert put(body, "?check=true").status_code == 422


def test_a_version_with_other_code_can_only_be_taken_on_the_machine(
    api: Any, put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    supervisor_takes()
    path.write_text(TEXT.replace('["true"]', '["false"]'), encoding="utf-8")
    supervisor_takes()
    answer = put({"version": 1})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["pointer"] == "/version"
    assert "commands" in answer.json()["detail"]


def test_a_guessed_secret_is_not_confirmed_by_a_version(
    put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    path.write_text(TEXT + ALERT.format("token-1"), encoding="utf-8")
    supervisor_takes()
    for guess in ("token-1", "token-2"):
        answer = put({"text": TEXT.replace("hush", MASK) + ALERT.format(guess)})
        assert answer.status_code == 200, answer.text
        told = put({"version": 1}, "?check=true").json()
        assert (told["changed"], told["not_compared"]) == ([], ["alerts"])


def test_a_guessed_secret_is_not_confirmed_by_what_is_in_force(
    api: Any, put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    path.write_text(TEXT + ALERT.format("token-1"), encoding="utf-8")
    supervisor_takes()
    told = []
    for guess in ("token-1", "token-2"):
        put({"text": TEXT.replace("hush", MASK) + ALERT.format(guess)})
        told.append(in_force(api)[0])
    assert told[0] == told[1]
    assert "not in force, or not yet" in told[0]["text"]
    supervisor_takes()
    assert "as it is" in in_force(api)[0]["text"]


def test_going_back_says_what_it_changes_and_whose_secrets_are_not_compared(
    api: Any, put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    path.write_text(TEXT + ALERT.format("token-1"), encoding="utf-8")
    supervisor_takes()
    put({"set": {"pools.default.workers": 3}})
    told = put({"version": 1}).json()
    assert (told["changed"], told["not_compared"]) == (["pools.default.workers"], ["alerts"])
    entry = api.client.get("/audit").json()["items"][0]
    assert (entry["before"], entry["count"]) == ("version 2", 1)
    secrets = "secrets of alerts are not compared"
    assert entry["after"] == f"version 3: pools.default.workers; {secrets}"


def test_a_change_of_an_alert_that_is_shown_is_told_though_its_secrets_are_not_compared(
    put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    path.write_text(TEXT + ALERT.format("token-1"), encoding="utf-8")
    supervisor_takes()
    path.write_text(TEXT + ALERT.format("token-2").replace("fatal", "hung"), encoding="utf-8")
    told = put({"version": 1}, "?check=true").json()
    assert (told["changed"], told["not_compared"]) == (["alerts: down"], ["alerts"])


def test_one_can_go_back_from_a_file_that_is_not_even_toml(
    api: Any, put: Callable[..., Any], path: Path, supervisor_takes: Callable[[], None]
) -> None:
    supervisor_takes()
    path.write_text(TEXT.replace("port = 1", "port = 2"), encoding="utf-8")
    supervisor_takes()
    path.write_text("[api\n", encoding="utf-8")
    way_out = "change it on the machine, or go back to version 2, which is in force"
    assert api.client.get("/config").json()["obstacle"].endswith(way_out)
    assert put({"version": 1}, "?check=true").json()["restarts"] == ["api"], "of what runs"
    etag = api.client.get("/config").headers["ETag"]
    assert put({"version": 1}, etag=etag).status_code == 200
    assert path.read_text(encoding="utf-8") == TEXT
    assert [one["text"] for one in versions_of(api)][1] is None, "the broken text is kept, unseen"


# What is in force


def in_force(api: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    told = api.client.get("/config").json()
    return told["in_force"], {one["key"]: one["value"] for one in told["settings"]}


def test_before_any_supervisor_the_file_as_it_is_is_told(api: Any, path: Path) -> None:
    told, settings = in_force(api)
    assert (told["file"], told["version"], told["since"]) == (str(path), None, None)
    assert "next start takes the file" in told["text"]
    assert settings["api.port"] == 1


def test_with_a_supervisor_its_version_is_told_and_since_when(
    api: Any, path: Path, supervisor_takes: Callable[[], None]
) -> None:
    supervisor_takes()
    told, settings = in_force(api)
    assert (told["version"], told["since"]) == (1, "2023-11-14T22:13:20.000Z")
    assert "as it is" in told["text"]
    assert [one["in_force"] for one in versions_of(api)] == [True]
    path.write_text(TEXT.replace("port = 1", "port = 2"), encoding="utf-8")
    told, settings = in_force(api)
    assert "not in force, or not yet" in told["text"]
    assert settings["api.port"] == 1, "what runs, not what was saved"


@pytest.mark.parametrize("broken", ["[api]\nport = 'x'\n", "[api\n"])
def test_a_rejected_file_leaves_what_the_supervisor_took(
    api: Any, path: Path, supervisor_takes: Callable[[], None], broken: str
) -> None:
    supervisor_takes()
    path.write_text(broken, encoding="utf-8")
    told, settings = in_force(api)
    assert (told["version"], settings["api.port"]) == (1, 1)
    assert "not valid, so it was not taken" in told["text"]


def test_a_wrong_file_without_a_supervisor_leaves_its_last_valid_version(
    api: Any, path: Path, put: Callable[..., Any]
) -> None:
    put({"set": {"api.port": 5}}, etag=None)
    path.write_text("[api]\nport = 'x'\n", encoding="utf-8")
    told, settings = in_force(api)
    assert (told["version"], told["since"], settings["api.port"]) == (2, None, 5)
    assert "nothing can be started" in told["text"]


def test_a_wrong_file_without_any_version_leaves_the_defaults(api: Any, path: Path) -> None:
    path.write_text("[api]\nport = 'x'\nmax_clients = 7\n", encoding="utf-8")
    told, settings = in_force(api)
    assert (told["version"], settings["api.port"], settings["api.max_clients"]) == (None, 8000, 7)


def test_an_api_without_a_file_has_settings_too(
    start: Callable[..., Any], state: StateFiles
) -> None:
    api = start(configuration=lambda: ConfigurationFile(None, (), {}, state))
    told, settings = in_force(api)
    assert (told["file"], settings["api.port"]) == (None, 8000)
    assert "no file" in told["text"]
    assert versions_of(api) == []


def test_versions_that_cannot_be_read_leave_what_the_supervisor_noted(
    api: Any, path: Path, state: StateFiles, supervisor_takes: Callable[[], None]
) -> None:
    supervisor_takes()
    Versions(state.configurations, path).forget(1)
    told, settings = in_force(api)
    assert (told["version"], settings["api.port"]) == (None, 1)


def test_a_file_that_is_gone_comes_back_as_a_version(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    assert put({"set": {"api.port": 2}}).status_code == 200
    path.unlink()
    answer = api.client.get("/config")
    shown = answer.json()
    assert (shown["text"], shown["problems"]) == (None, [])
    assert shown["obstacle"] == (f"{path} is gone; put it there again, or go back to version 2")
    assert "is gone" in shown["in_force"]["text"]
    seen = answer.headers["ETag"]
    assert put({"set": {"api.port": 3}}, etag=seen).status_code == 409
    checked = put({"version": 1}, "?check=true", etag=seen).json()
    assert checked["changed"] == ["api.port"], "it is compared with what the file held last"
    back = put({"version": 1}, etag=seen)
    assert back.status_code == 200, back.text
    assert path.read_text() == TEXT
    assert back.headers["ETag"] == api.client.get("/config").headers["ETag"]
    assert put({"version": 2}, etag=seen).status_code == 412
