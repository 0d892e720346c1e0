"""`orpheus status`: once, and as long as somebody watches."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import status

Orpheus = Callable[..., Any]
NOTHING_RUNS = "One problem needs your attention.\n- Nothing runs. (orpheus)\n"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens between the looks; after the last one, Ctrl-C is pressed."""
    between: list[Callable[[], object]] = []

    def pause(_: float) -> None:
        if not between:
            raise KeyboardInterrupt
        between.pop(0)()

    monkeypatch.setattr(status, "sleep", pause)
    return between


def test_status_exits_1_while_nothing_runs(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert NOTHING_RUNS in out
    (concern,) = orpheus("status", "--json").json["verdict"]["concerns"]
    assert concern["code"] == "nothing_runs"


def test_in_a_pipe_there_is_a_line_for_each_change(
    orpheus: Orpheus, store: Store, looks: list[Callable[[], object]]
) -> None:
    looks += [lambda: None, lambda: store.jobs.submit(NewJob("words")), lambda: None]
    code, out, _ = orpheus("status", "--watch")
    assert code == 0
    first, second = out.splitlines()
    assert first.partition("  ")[2] == "no jobs yet. Nothing runs."
    assert second.partition("  ")[2] == "1 pending. Nothing runs."


def test_as_json_there_is_a_document_on_a_line_for_each_look(
    orpheus: Orpheus, store: Store, looks: list[Callable[[], object]]
) -> None:
    looks += [lambda: None]
    code, out, _ = orpheus("status", "-w", "--json")
    assert code == 0
    assert [json.loads(line)["counts"]["pending"] for line in out.splitlines()] == [0, 0]


def test_a_terminal_is_drawn_over_without_being_cleared_again(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    looks += [lambda: store.jobs.submit(NewJob("words"))]
    code, out, _ = orpheus("status", "--watch")
    assert code == 0
    assert (out.count("\x1b[2J"), out.count("\x1b[H")) == (1, 2)
    frames = out.split("\x1b[H")[1:]
    assert "none yet\x1b[K\n" in frames[0]
    assert "1 pending\x1b[K\n" in frames[1]


def test_what_does_not_fit_on_the_screen_is_counted(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("LINES", "5")
    _, out, _ = orpheus("status", "--watch")
    drawn = out.split("\x1b[H")[1].split("\x1b[J")[0].splitlines()
    assert len(drawn) == 4
    assert drawn[-1] == "… and 3 more lines\x1b[K"
