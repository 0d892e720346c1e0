"""GET and PUT /config: what is in force and why, and a checked replacement of the file."""

import json
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing import file as file_module
from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.operations.configuration import MASK
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import open_storage, state_files
from tests.audit_log import entries_of
from tests.variants import variants

TEXT = """# Kept.
[api]
port = 1 # also kept

[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush"}
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


def test_the_settings_are_told_with_where_they_come_from(api: Any, path: Path) -> None:
    answer = api.client.get("/config")
    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["ETag"].startswith('"')
    settings = {one["key"]: (one["value"], one["origin"]) for one in told["settings"]}
    assert settings["api.port"] == (1, f"{path}:3")
    assert settings["api.max_clients"] == (7, "--set")
    assert settings["jobs.timeout"] == (900.0, "default")
    (timeout,) = (one for one in told["settings"] if one["key"] == "jobs.timeout")
    assert timeout["as_written"] == "15m"
    assert (told["path"], told["problems"], told["rejected"]) == (str(path), [], None)


def test_no_secret_is_told(api: Any) -> None:
    answer = api.client.get("/config")
    assert "hush" not in answer.text
    assert answer.json()["masked"] == 1
    assert MASK in answer.json()["text"]


def test_a_rejected_file_is_told_with_the_supervisors_reason(api: Any, path: Path) -> None:
    reason = "api.port: must be less"
    slot = api.slot("supervisor", SlotState.READY, Role.SUPERVISOR, degraded=True, rejected=reason)
    api.store.processes.put_slots([slot])
    path.write_text('[api]\nport = "x"\n')
    told = api.client.get("/config").json()
    assert told["rejected"] == "api.port: must be less"
    assert [problem["line"] for problem in told["problems"]] == [2]
    settings = {one["key"]: one["value"] for one in told["settings"]}
    assert settings["api.max_clients"] == 7, "what is in force is never empty"
    (shown,) = api.client.get("/workers").json()["items"]
    assert shown["reason"] == "configuration rejected: api.port: must be less"


def test_an_api_without_a_file_says_what_to_do(start: Any, state: StateFiles) -> None:
    api = start(configuration=lambda: ConfigurationFile(None, [], {}, state))
    told = api.client.get("/config")
    assert told.json()["text"] is None
    assert "ETag" not in told.headers
    body = refused(api.client.put("/config", json={"set": {"api.port": 1}}), 409)
    assert "--config" in body["detail"]


def test_a_text_replaces_the_file_and_keeps_its_secrets(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    shown = api.client.get("/config")
    text = shown.json()["text"].replace("port = 1", "port = 2")
    answer = put({"text": text, "reason": "because"}, etag=shown.headers["ETag"])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["written"], told["changed"], told["restarts"]) == (True, ["api.port"], ["api"])
    assert "2 seconds" in told["takes_effect"]
    assert "hush" not in answer.text
    assert path.read_text() == TEXT.replace("port = 1", "port = 2")
    assert path.with_name("orpheus.toml.bak").read_text() == TEXT
    assert answer.headers["ETag"] == api.client.get("/config").headers["ETag"]


def test_one_setting_is_changed_and_the_rest_stays(put: Callable[..., Any], path: Path) -> None:
    answer = put({"set": {"api.port": 2}}, etag=None)
    assert answer.json()["changed"] == ["api.port"]
    assert path.read_text() == TEXT.replace("port = 1", "port = 2")


def test_who_and_why_and_how_much_stand_in_the_trail_and_no_value(
    api: Any, put: Callable[..., Any]
) -> None:
    put({"set": {"api.port": 24242, "jobs.timeout": "31m"}, "reason": "a busy week"})
    (row,) = api.client.get("/audit").json()["items"]
    assert (row["action"], row["target"], row["count"]) == ("configure", "configuration", 2)
    assert (row["by"], row["reason"]) == ("api:127.0.0.1", "a busy week")
    assert "24242" not in json.dumps(row)


def test_a_check_tells_all_and_writes_nothing(
    api: Any, put: Callable[..., Any], path: Path
) -> None:
    bad = put({"text": '[api]\nport = "x"\nprot = 1\n' + _commands()}, "?check=true", None)
    assert bad.status_code == 200
    told = bad.json()
    assert [(p["key"], p["line"]) for p in told["problems"]] == [("api.port", 2), ("api.prot", 3)]
    assert (told["written"], told["changed"], told["text"]) == (False, None, None)
    good = put({"set": {"pools.default.workers": 0}}, "?check=true", None).json()
    assert good["stops"] == [f"default-{n + 1}" for n in range(len(good["stops"]))] != []
    assert good["written"] is False
    assert path.read_text() == TEXT
    assert entries_of(api.store, 5) == []


def _commands() -> str:
    return TEXT[TEXT.index("[[") :].replace("hush", MASK)


def test_every_problem_is_refused_with_its_line(put: Callable[..., Any], path: Path) -> None:
    body = refused(put({"text": '[api]\nport = "x"\nprot = 1\n' + _commands()}), 422)
    assert [error["pointer"] for error in body["errors"]] == ["/text", "/text"]
    assert body["errors"][0]["detail"].startswith("line 2: api.port: must be")
    assert body["errors"][1]["detail"].startswith("line 3: api.prot: unknown key")
    body = refused(put({"set": {"api.prot": 1, "api..x": 1}}), 422)
    assert {error["pointer"] for error in body["errors"]} == {"/set/api..x"}
    assert path.read_text() == TEXT


@pytest.mark.parametrize(
    "values",
    [
        {"jobs.modules": ["os"]},
        {"jobs.around": ["os:system"]},
        {"commands": []},
        {"commands": [{"name": "pay", "argv": ["rm"], "env": {"KEY": "hush"}}]},
        {"database.url": "sqlite:///other.db"},
        {"api.token_file": ""},
        {"api.token_file": "/etc/shadow"},
    ],
)
def test_what_names_code_is_refused(
    put: Callable[..., Any], path: Path, values: dict[str, Any]
) -> None:
    answer = put({"set": values})
    if values == {"api.token_file": ""}:  # as it is
        assert answer.status_code == 200
        return
    body = refused(answer, 403)
    assert ": cannot be changed here, as it names " in body["detail"]
    assert path.read_text() == TEXT


def test_a_text_needs_to_say_what_it_replaces(put: Callable[..., Any]) -> None:
    assert "If-Match" in refused(put({"text": TEXT}, etag=None), 428)["detail"]


@pytest.mark.parametrize("etag", ['"other"', "other", 'W/"other"', '"a", "b"', ""])
def test_a_file_that_is_not_what_was_seen_is_left_alone(
    put: Callable[..., Any], path: Path, etag: str
) -> None:
    assert "read it again" in refused(put({"set": {"api.port": 2}}, etag=etag), 412)["detail"]
    assert path.read_text() == TEXT


def test_one_of_several_states_will_do(api: Any, put: Callable[..., Any]) -> None:
    seen = api.client.get("/config").headers["ETag"]
    assert put({"set": {"api.port": 2}}, etag=f'"other", {seen}').status_code == 200


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({}, ""),
        ({"text": "", "set": {"api.port": 1}}, ""),
        ({"set": {}}, ""),
        ({"text": 5}, ""),
        ({"text": "x" * 131_073}, ""),
        ({"set": {"api.port": 1}, "check": True}, ""),
        ({"set": {"api.port": 1}}, "?check="),
        ({"set": {"api.port": 1}}, "?check=perhaps"),
        ({"set": {"api.port": 1}}, "?chekc=true"),
        ({"set": {"api.port": 1}, "reason": ""}, ""),
    ],
)
def test_a_body_that_is_neither_writes_nothing(
    put: Callable[..., Any], path: Path, body: Any, query: str
) -> None:
    refused(put(body, query), 422)
    assert path.read_text() == TEXT


def test_the_owner_stays(put: Callable[..., Any], path: Path) -> None:
    if os.geteuid() != 0:
        reason = "only root can give the file to somebody else"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    os.chown(path, 1234, 1234)
    assert put({"set": {"api.port": 2}}).status_code == 200
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


def test_a_full_disk_is_507_and_nothing_is_in_the_trail(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orpheus.config.editing.file.new_file", full)
    answer = put({"set": {"api.port": 2}})
    refused(answer, 507)
    assert answer.headers["Retry-After"]
    assert entries_of(api.store, 5) == []


@pytest.mark.parametrize("every_ms", variants([1, 3], 3))
@pytest.mark.parametrize("by_rename", [True, False])
def test_no_save_of_an_editor_is_lost(
    api: Any, put: Callable[..., Any], path: Path, by_rename: bool, every_ms: int
) -> None:
    """Whichever comes first, the line that the editor saved is in the file at the end."""
    answers = set()
    for number in range(0, 30, every_ms):
        path.write_text(TEXT)
        saved = TEXT + f"# saved {number}\n"
        new = path.with_name("editor.tmp")
        new.write_text(saved)
        moment = threading.Timer(number * 0.001, partial(new.replace, path))
        if not by_rename:
            moment = threading.Timer(number * 0.001, path.write_text, [saved])
        moment.start()
        answer = put({"set": {"api.port": 2}})
        moment.join()
        assert f"# saved {number}" in path.read_text(), answer.text
        answers.add(answer.status_code)
    assert answers <= {200, 412}
    assert {one.name for one in path.parent.iterdir()} <= {
        path.name, "orpheus.toml.bak", "editor.tmp", "data",
    }  # fmt: skip


def test_a_commit_that_fails_leaves_the_file_as_it_was(
    api: Any, put: Callable[..., Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        if name == "commit.before":
            raise DatabaseFull("no space is left")

    monkeypatch.setattr("orpheus.shared.storage.sqlite.connection.program_failpoint", fail)
    refused(put({"set": {"api.port": 2}}), 507)
    assert path.read_text() == TEXT
    assert {one.name for one in path.parent.iterdir()} == {path.name, "data"}


def test_others_write_while_the_file_is_written(
    api: Any, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    could_write: list[bool] = []
    for name in ("new_file", "replace_file"):
        step = getattr(file_module, name)

        def look_and(*args: Any, step: Any = step) -> Any:
            store = open_storage(api.services.options.storage)
            could_write.append(store.writable())
            store.close()
            return step(*args)

        monkeypatch.setattr(file_module, name, look_and)
    assert put({"set": {"api.port": 2}}).status_code == 200
    assert could_write == [True, True]


def test_a_save_at_the_last_moment_stays_and_the_trail_says_so(
    api: Any, put: Callable[..., Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "replace_file", lambda *_: False)
    assert "read it again" in refused(put({"set": {"api.port": 2}}), 412)["detail"]
    rows = entries_of(api.store, 5)
    assert [(row.target, row.count) for row in rows] == [
        ("configuration, which was not replaced", 0), ("configuration", 1),
    ]  # fmt: skip
    assert path.read_text() == TEXT


def test_a_schedule_that_could_not_start_is_refused_with_its_reason(
    put: Callable[..., Any], path: Path
) -> None:
    schedule = {"name": "a", "type": "strict", "every": 60, "payload": {"n": "x"}}
    body = refused(put({"set": {"schedules": [schedule]}}), 422)
    assert "payload.n" in body["errors"][0]["detail"]
    schedule["type"] = "strct"
    told = put({"set": {"schedules": [schedule]}}, "?check=true").json()["problems"]
    assert ["did you mean 'strict'" in one["detail"] for one in told] == [True]
    assert path.read_text() == TEXT
    schedule |= {"type": "strict", "payload": {"n": 1}}
    assert put({"set": {"schedules": [schedule]}}).status_code == 200


def test_a_folder_that_cannot_be_written_is_409(
    put: Callable[..., Any], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_allowed = os.access  # a thread that opens the database asks for other paths meanwhile

    def access(asked: Any, *how: Any, **ids: Any) -> bool:
        return Path(asked) != path.parent and is_allowed(asked, *how, **ids)

    monkeypatch.setattr(os, "access", access)
    assert "edit it there" in refused(put({"set": {"api.port": 2}}), 409)["detail"]


def test_it_is_told_when_nobody_watches_the_file(start: Callable[..., Any], path: Path) -> None:
    path.write_text("[supervisor]\nwatch_config = false\n")
    editor = ConfigurationFile(path, [], {}, state_files(f"sqlite:///{path.parent}/o.db"))
    edit = {"set": {"api.port": 2}}
    watched = start(configuration=lambda: editor, supervised=True).client.put("/config", json=edit)
    assert "SIGHUP" in watched.json()["takes_effect"]
    alone = start(configuration=lambda: editor).client.put("/config", json=edit)
    assert "next start" in alone.json()["takes_effect"]


def test_a_queue_that_stays_as_an_operator_has_put_it_is_told(
    api: Any, put: Callable[..., Any]
) -> None:
    pause = {"set": {"queues.held.paused": True}}
    assert put(pause, "?check=true").json()["notes"] == []
    api.store.queues.resume("held")
    api.store.queues.pause("other")
    by_hand = "Queue held stays open: an operator has resumed it, which counts more than the file."
    assert put(pause, "?check=true").json()["notes"] == [by_hand]
    assert put(pause).json()["notes"] == [by_hand]
    api.store.queues.pause("held")
    (told,) = put({"set": {"queues.held.paused": False}}, "?check=true").json()["notes"]
    assert told.startswith("Queue held stays paused: an operator has paused it")
    assert put({"set": {"queues.held.max_running": 2}}, "?check=true").json()["notes"] == []


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
    edit = {"set": {"pools.default.workers": 2}, "reason": "more"}
    assert system.client.put("/config", json=edit).json()["starts"] == ["default-2"]
    wait_for(lambda: "default-2" in system.workers(), "the second worker")
    assert path.read_text() == "[pools.default]\nworkers = 2 # few\n"
    # A file that checks but cannot be taken: its reason is told here, too.
    system.client.put("/config", json={"set": {"jobs.cancel_grace": "11s"}})
    path.write_text("[pools.default]\nworkers = 2\n[jobs]\nmodules = ['no_such_module']\n")
    rejected = wait_for(lambda: system.get("/config")["rejected"], "the rejection")
    assert "no_such_module" in rejected
