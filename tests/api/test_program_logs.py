"""The output of a program over HTTP: who may read it, and that nothing else is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.program_logs import LogFiles

Start = Callable[..., Any]


def write(folder: Path, text: str) -> None:
    log = LogFiles(folder, 65_536, 2)
    log.write(f"2026-01-01T00:00:00.000Z stdout {text}\n".encode())
    log.close()


def with_a_program(api: Any) -> Any:
    write(api.store.state.program_log("web-1"), "hello")
    api.store.processes.put_slots(
        [api.slot("default-1", SlotState.READY), api.slot("web-1", SlotState.DOWN, Role.PROGRAM)]
    )
    return api


@pytest.mark.parametrize("read_only", [False, True])
def test_whoever_may_read_anything_may_read_it(start: Start, read_only: bool) -> None:
    api = with_a_program(start(supervised=True, read_only=read_only))
    [line] = api.client.get("/programs/web-1/logs").json()["items"]
    assert (line["stream"], line["line"]) == ("stdout", "hello")


def test_older_output_is_read_a_page_at_a_time(start: Start) -> None:
    api = with_a_program(start(supervised=True))
    for text in ("again", "and again"):
        write(api.store.state.program_log("web-1"), text)
    items = api.client.get("/programs/web-1/logs").json()["items"]
    assert [one["line"] for one in items] == ["hello", "again", "and again"]
    before = {"before": items[2]["id"]}
    assert api.client.get("/programs/web-1/logs", params=before).json()["items"] == items[:2]
    last = api.client.get("/programs/web-1/logs", params=before | {"limit": 1})
    assert last.json()["items"] == items[1:2]
    assert api.client.get("/programs/web-1/logs?before=0").json()["items"] == []
    assert api.client.get("/programs/web-1/logs?before=-1").status_code == 422


@pytest.mark.parametrize("slot", ["%2e%2e", "%2e", "..%2fother-1", "%2e%2e-1", "other-1%00", "web"])
def test_no_name_leads_to_a_folder_that_is_no_slot_s(api: Any, slot: str) -> None:
    folder = api.store.state.program_log("web-1")
    write(folder, "hello")
    for other in (folder.parent, folder.parents[1], folder.parent.with_name("other-1")):
        write(other, "not for you")
    answer = api.client.get(f"/programs/{slot}/logs")
    assert answer.status_code == 404, answer.text
    assert "not for you" not in answer.text
