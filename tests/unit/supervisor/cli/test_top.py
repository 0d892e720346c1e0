"""`orpheus top`: the screen, what its keys do, and one screen in a pipe."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.messages.queues import Code, Counts, Limits, Queue, ServingPool, WhyReason
from orpheus.shared.messages.status import Concern, ConcernCode, Severity, Verdict
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.operator import Operator
from orpheus.supervisor.cli.top import Row, View, act, moved, rows_of, screen
from tests.audit_log import entries_of
from tests.explained import supervisor, worker

Orpheus = Callable[..., Any]


def queue(name: str, due: int, reason: str | None = None) -> Queue:
    counts = Counts(blocked=0, pending=due, in_progress=1, done=9, failed=0, cancelled=0)
    why = WhyReason(Code.QUEUE_LIMIT, reason) if reason else None
    limits, pools = Limits(0, "", 1, 0, ""), [ServingPool("default", 1, 1)]
    oldest = 90.0 if due else None
    return Queue(name, None, counts, due, oldest, 1200.0, 3.5, limits, pools, why, None, {})


FATAL = worker("default-2", state=SlotState.FATAL, reason="no module a")
VIEW = View(
    Verdict(
        "One problem needs your attention.",
        [Concern(ConcernCode.SLOT, Severity.STOPS_WORK, "default-2 failed (fatal): no module a.",
                 "orpheus restart default-2")],
    ),
    Counts(blocked=0, pending=12_000, in_progress=2, done=18, failed=0, cancelled=0),
    [("default", 1, 2)],
    [supervisor(), worker(cpu_percent=12.0, rss_bytes=2**26), FATAL],
    [queue("default", 0), queue("mail", 12_000, "queue mail is at its limit")],
)  # fmt: skip
MAIL = Row("queue", "mail")


def drawn(chosen: Row | None, columns: int, lines: int, view: View = VIEW) -> list[str]:
    return [line.text for line in screen(view, chosen, columns, lines)]


def test_one_screen_shows_the_problems_the_slots_and_the_queues() -> None:
    assert drawn(MAIL, 74, 17) == [
        "One problem needs your attention.",
        "jobs   12,000 pending, 2 in progress, 18 done",
        "pools  default 1 of 2 ready",
        "",
        "PROBLEMS",
        "  default-2 failed (fatal): no module a. (orpheus restart default-2)",
        "",
        "  SLOT        STATE     CPU    MEMORY  JOB  WHY",
        "  supervisor  ready",
        "  default-1   ready  12.0 %  64.0 MiB",
        "  default-2   fatal                         no module a",
        "",
        "  QUEUE       DUE  RUNNING      OLDEST   IN/MIN  OUT/MIN  WHY",
        "  default       0        1              1,200.0      3.5",
        "> mail     12,000        1  1 min 30 s  1,200.0      3.5  queue mail is a…",
        "",
        "↑↓ choose   p pause or resume the queue   r restart the slot   q quit",
    ]


@pytest.mark.parametrize("lines", [4, 10, 14, 24])
def test_a_long_list_keeps_what_is_chosen_in_sight(lines: int) -> None:
    many = [queue(f"q{n:03}", 0) for n in range(200)]
    view = View(VIEW.verdict, VIEW.counts, VIEW.pools, VIEW.workers, many)
    shown = drawn(Row("queue", "q100"), 60, lines, view)
    assert len(shown) == lines
    assert max(map(len, shown)) <= 60
    if lines > 14:
        assert any(line.startswith("> q100") for line in shown)
        assert any(line.endswith(" more") for line in shown)


def test_the_arrows_move_within_the_rows() -> None:
    rows = rows_of(VIEW)
    assert moved(rows, rows[0], -1) == rows[0]
    assert moved(rows, rows[2], 1) == Row("queue", "default")
    assert moved(rows, MAIL, 1) == MAIL
    assert moved(rows, Row("queue", "gone"), 1) == rows[0]
    assert moved([], None, 1) is None


def test_the_keys_pause_a_queue_and_restart_a_slot(supervised: Store) -> None:
    operator, slot = Operator(None, (), as_json=False), Row("slot", "default-2", "host-1")
    assert act(operator, VIEW, MAIL, "p") == "queue mail: paused"
    assert act(operator, VIEW, slot, "r") == "default-2: restart requested"
    assert act(operator, VIEW, slot, "p") == "choose a queue first"
    assert act(operator, VIEW, None, "r") == "choose a slot first"
    assert act(operator, VIEW, Row("slot", "nix"), "r").startswith("there is no slot")
    assert {(row.action, row.target) for row in entries_of(supervised, 9)} == {
        ("pause", "queue mail"),
        ("restart", "slot default-2"),
    }


def test_in_a_pipe_it_prints_one_screen_and_ends(orpheus: Orpheus, supervised: Store) -> None:
    supervised.jobs.submit(NewJob("words", queue="mail"))
    code, out, err = orpheus("top")
    assert (code, err) == (0, "")
    assert "\x1b" not in out and "jobs   1 pending\n" in out and "q quit" not in out
    assert {"verdict", "counts", "workers", "queues"} <= orpheus("top", "--json").json.keys()


def test_on_a_terminal_q_ends_it_and_gives_the_screen_back(
    supervised: Store, tmp_path: Path
) -> None:
    supervised.jobs.submit(NewJob("words", queue="mail"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "orpheus", "top"]
    env = {**os.environ, "TERM": "xterm", "LINES": "20", "COLUMNS": "80"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=env
    )
    os.close(theirs)
    try:
        shown = b""
        for until, key in ((b"> ", b"\x1b[A"), (b"q quit", b"q"), (b"\x1b[?1049l", b"")):
            while until not in shown:
                shown += os.read(ours, 4096)
            os.write(ours, key)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
