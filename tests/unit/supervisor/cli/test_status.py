"""`orpheus status`: once, and as long as somebody watches."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import DatabaseAway
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import status
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
ROOT = Path(__file__).parents[4]
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


def test_status_imports_nothing_that_only_other_commands_use() -> None:
    program = (
        "import sys; before = set(sys.modules); import orpheus.supervisor.cli.status;"
        "heavy = {'pydantic', 'rich', 'http.client', 'ssl', 'socket', 'difflib', 'getpass',"
        "'secrets'};"
        "print(sorted(heavy & set(sys.modules) - before))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
    ).stdout
    assert out == b"[]\n"


def test_status_exits_1_while_nothing_runs(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert NOTHING_RUNS in out
    (concern,) = orpheus("status", "--json").json["verdict"]["concerns"]
    assert concern["code"] == "nothing_runs"


def test_jobs_of_a_queue_that_no_pool_serves_need_a_person(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("words", queue="mail"))

    def concerns(*options: str) -> list[str]:
        found = orpheus("status", "--json", *options).json["verdict"]["concerns"]
        return [concern["text"] for concern in found]

    assert re.search(r"oldest waiting +\S.*s, in mail\n", orpheus("status").out)
    (sentence,) = set(concerns("--set", "pools.default.queues=['a']")) - set(concerns())
    assert sentence == "No pool serves queue mail, and 1 job waits in it."


def test_in_a_pipe_there_is_a_line_for_each_change(
    orpheus: Orpheus, store: Store, looks: list[Callable[[], object]]
) -> None:
    looks += [lambda: None, lambda: store.jobs.submit(NewJob("words")), lambda: None]
    code, out, _ = orpheus("status", "--watch")
    assert code == 0
    first, second = out.splitlines()
    assert first.partition("  ")[2] == "no jobs yet. Nothing runs."
    assert second.partition("  ")[2] == "1 pending. Nothing runs."


def test_a_problem_that_only_grows_older_is_no_change(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look = status._status
    ages = iter(["59.5 s", "1 min", "9 min 59 s", "10 minutes", "2 h 1 min"])

    def older(store: Store, handover: CommandLineHandover) -> dict[str, Any]:
        found = look(store, handover)
        text = f"No worker is ready, and 1 job waits, the first for {next(ages)}."
        return found | {"verdict": {"headline": "", "concerns": [{"text": text}]}}

    monkeypatch.setattr(status, "_status", older)
    store.jobs.submit(NewJob("words"))
    looks += [lambda: None] * 3 + [lambda: store.jobs.submit(NewJob("words"))]
    first, second = orpheus("status", "--watch").out.splitlines()
    assert first.endswith("1 pending. No worker is ready, and 1 job waits, the first for 59.5 s.")
    assert "2 pending" in second
    assert second.endswith("the first for 2 h 1 min.")


def test_as_json_there_is_a_document_on_a_line_for_each_look(
    orpheus: Orpheus, store: Store, looks: list[Callable[[], object]]
) -> None:
    looks += [lambda: None]
    code, out, _ = orpheus("status", "-w", "--json")
    assert code == 0
    assert [json.loads(line)["counts"]["pending"] for line in out.splitlines()] == [0, 0]


def test_each_look_is_judged_by_the_settings_of_that_moment(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pools: list[list[str]] = []
    look = status._status

    def noted(store: Store, handover: CommandLineHandover) -> dict[str, Any]:
        pools.append(list(handover.storage.pools))
        return look(store, handover)

    def add_a_pool() -> None:
        file = Path("config/orpheus.toml")
        file.parent.mkdir()
        file.write_text("[pools.default]\n[pools.mail]\nqueues = ['mail']\n")

    monkeypatch.setattr(status, "_status", noted)
    looks += [lambda: None, add_a_pool]
    assert orpheus("status", "--watch").code == 0
    assert pools == [["default"], ["default"], ["default", "mail"]]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_database_that_is_away_for_a_moment_does_not_end_the_watch(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    look = status._status

    def away() -> None:
        monkeypatch.setattr(status, "_status", fail)

    def fail(*_: object) -> None:
        raise DatabaseAway("the server is starting")

    looks += [away, lambda: None, lambda: monkeypatch.setattr(status, "_status", look)]
    code, out, err = orpheus("status", "--watch", *options)
    assert code == 0
    told = [line for line in (out + err).splitlines() if "the server is starting" in line]
    assert len(told) == 1
    assert len(out.splitlines()) == (2 if options else 3)


def test_a_database_that_is_not_there_is_told_at_once(orpheus: Orpheus) -> None:
    assert orpheus("status", "--watch").code == 74


def test_no_line_of_a_terminal_is_wrapped(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    _, out, _ = orpheus("status", "--watch")
    drawn = click.unstyle(out.split("\x1b[H")[1].split("\x1b[J")[0]).splitlines()
    lines = [line.removesuffix("\x1b[K") for line in drawn]
    assert max(map(len, lines)) == 20
    assert lines[-2:] == ["- Nothing runs.", "  (orpheus)"], "the command is not cut"


@pytest.mark.parametrize(("lines", "is_whole"), [(40, True), (8, False)])
def test_a_problem_is_whole_where_there_is_room_for_it(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    lines: int,
    is_whole: bool,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", str(lines))
    store.jobs.submit(NewJob("words", queue="mail"))
    _, out, _ = orpheus("status", "--watch", "--set", "pools.default.queues=['a']")
    drawn = click.unstyle(out.split("\x1b[H")[1].split("\x1b[J")[0]).splitlines()
    drawn = [line.removesuffix("\x1b[K") for line in drawn]
    assert max(map(len, drawn)) <= 30
    whole = ["- No pool serves queue mail,", "  and 1 job waits in it."]
    assert ("\n".join(whole) in "\n".join(drawn)) is is_whole


def test_a_sentence_is_wrapped_at_words_and_nothing_else_is_cut(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    store.jobs.submit(NewJob("words", queue="mail"))
    out = click.unstyle(orpheus("status", "--set", "pools.default.queues=['a']").out)
    assert "- No pool serves queue mail,\n  and 1 job waits in it." in out
    assert re.search(r"\ndatabase\n  sqlite:////\S+/data/orpheus\.db,\n", out), (
        "a URL is for copying"
    )
    assert "last hour       0 done, 0\n                  failed, 0\n" in out


def test_columns_that_have_no_room_are_named_but_not_while_it_is_watched(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot("default-1", SlotState.FATAL, reason="no module " * 9)])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert orpheus("status").err.startswith("left out at this width: PID, ")
    _, out, err = orpheus("status", "--watch")
    assert "left out" not in out + err, "a line less for what needs a person"


def test_busy_silent_and_failing_slots_are_shown_before_idle_ones() -> None:
    well = {"degraded": False, "silent": False, "reason": ""}
    workers = [
        {"slot": "a-1", "state": "ready", "job": None, **well},
        {"slot": "a-2", "state": "ready", "job": {"id": 1}, **well},
        {"slot": "a-3", "state": "fatal", "job": None, **well},
        {"slot": "a-4", "state": "ready", "job": None, **well, "silent": True},
    ]
    left = status._with_fewer_slots({"workers": workers}, 1)
    assert [one["slot"] for one in left["workers"]] == ["a-2", "a-3", "a-4"]
    assert left["left_out"] == "… and 1 more slots, all ready"
    left = status._with_fewer_slots({"workers": workers}, 2)
    assert [one["slot"] for one in left["workers"]] == ["a-3", "a-4"]


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


def test_a_dumb_terminal_is_told_each_change_in_a_line_as_a_pipe_is(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    code, out, _ = orpheus("status", "--watch")
    assert (code, out.count("\n"), "\x1b" in out) == (0, 1, False)


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


@pytest.mark.parametrize(("ready", "fatal", "told"), [(30, 1, ", all ready"), (3, 25, "")])
def test_of_many_slots_those_that_are_ready_are_left_out_before_the_problems(
    orpheus: Orpheus,
    store: Store,
    looks: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
    ready: int,
    fatal: int,
    told: str,
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    fatals = [slot(f"a-{n}", SlotState.FATAL, reason="no module") for n in range(fatal)]
    slots = [slot(f"default-{n}", SlotState.READY) for n in range(ready)]
    store.processes.put_slots([*fatals, *slots])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in (("LINES", "24"), ("COLUMNS", "120"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    _, out, _ = orpheus("status", "--watch")
    drawn = [line.removesuffix("\x1b[K") for line in out.split("\x1b[H")[1].splitlines()]
    drawn = drawn[: drawn.index("\x1b[J")] if "\x1b[J" in drawn else drawn
    shown = [line for line in drawn if line.startswith(("default-", "a-", "supervisor"))]
    left = ready + fatal + 1 - len(shown)
    assert len(drawn) <= 23
    assert f"… and {left} more slots{told}" in drawn
    assert any("need your attention" in line or "needs your attention" in line for line in drawn)
    assert any(line.startswith("- ") and "failed (fatal)" in line for line in drawn)
    assert fatal > 1 or shown[0].startswith("a-0"), "what is not ready stays"


@pytest.mark.usefixtures("store")
def test_what_starts_orpheus_is_told_with_the_file_that_was_given(
    orpheus: Orpheus, tmp_path: Path
) -> None:
    (tmp_path / "my shop.toml").write_text("")
    start, given = "orpheus --config 'my shop.toml'", ("--config", "my shop.toml")
    assert f"({start})" in orpheus("status", *given).out
    assert orpheus(*given, "workers").err == f"nothing runs; `{start}` starts it\n"
    assert f"waits; `{start}` starts it" in orpheus("submit", "count", "n=1", *given).err
    assert "(orpheus)" in orpheus("status").out
