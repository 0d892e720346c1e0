"""What GET /config and GET /config/versions tell of a version that the supervisor did not take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.editing.versions import Versions
from orpheus.config.load import load_settings
from orpheus.config.running_settings import forget_running_settings, keep_running_settings
from orpheus.shared.storage import state_files


def test_a_file_that_was_rejected_is_told_so_and_so_is_its_version(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    path, state = tmp_path / "orpheus.toml", state_files(f"sqlite:///{tmp_path}/configured.db")
    path.write_text("[api]\nport = 1\n", encoding="utf-8")
    versions, editor = Versions(state.configurations, path), ConfigurationFile(path, (), {}, state)
    api = start(configuration=lambda: editor)

    def put(body: Any) -> None:
        answer = api.client.put("/config", json=body, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    version = versions.keep_found("[api]\nport = 1\n")
    keep_running_settings(state.running_settings, load_settings(path, (), {}), 0, version.number)
    put({"set": {"api.port": 2}})
    versions.note_rejected(version.number, path.read_text(), "api.port: 2 is taken")
    told = api.client.get("/config").json()["in_force"]["text"]
    assert "what it holds now was rejected" in told
    path.write_text("[api\n", encoding="utf-8")
    put({"version": 1})
    items = api.client.get("/config/versions").json()["items"]
    assert [one["fault"] for one in items] == [None, "not TOML", "rejected", None]
    assert [one["rejection"] for one in items] == [None, None, "api.port: 2 is taken", None]


@pytest.mark.parametrize(
    "now", ["[supervisor]\ndrain_timeout = 7\n", "[supervisor]\ndrain_timeout = 'x'\n", "[api\n"]
)
def test_how_long_a_job_is_waited_for_is_told_as_it_is_in_force(
    start: Callable[..., Any], tmp_path: Path, now: str
) -> None:
    path, state = tmp_path / "orpheus.toml", state_files(f"sqlite:///{tmp_path}/configured.db")
    path.write_text("[supervisor]\ndrain_timeout = 60\n", encoding="utf-8")
    keep_running_settings(state.running_settings, load_settings(path, (), {}))
    api = start(configuration=lambda: ConfigurationFile(path, (), {}, state))
    path.write_text(now, encoding="utf-8")

    def within_s() -> list[float]:
        pools = api.client.get("/workers?samples=true").json()["pools"]
        return [one["finishes_within_s"] for one in pools]

    assert within_s() == [85.0]
    forget_running_settings(state.running_settings)
    path.write_text("[supervisor]\ndrain_timeout = 7\n", encoding="utf-8")
    assert within_s() == [32.0], "nothing runs: the next start takes the file"


def test_a_pool_goes_from_the_answer_when_it_goes_from_what_is_in_force(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    path, state = tmp_path / "orpheus.toml", state_files(f"sqlite:///{tmp_path}/configured.db")
    path.write_text("[pools.other]\nworkers = 1\n", encoding="utf-8")
    keep_running_settings(state.running_settings, load_settings(path, (), {}))
    api = start(configuration=lambda: ConfigurationFile(path, (), {}, state))  # it has `default`

    def names() -> list[str]:
        pools = api.client.get("/workers?samples=true").json()["pools"]
        return [one["name"] for one in pools]

    assert names() == list(load_settings(path, (), {}).pools)
    forget_running_settings(state.running_settings)
    path.write_text("[api\n", encoding="utf-8")
    assert names() == ["default"], "nothing can be read: it has what it was started with"
