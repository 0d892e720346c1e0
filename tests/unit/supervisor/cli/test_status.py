"""`orpheus status`: once, and as long as somebody watches."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import status
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]
Terminal = Callable[[int], None]
Looks = list[Callable[[], object]]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """What happens between the looks; after the last one, Ctrl-C is pressed."""
    between: Looks = []

    def pause(_: float) -> None:
        if not between:
            raise KeyboardInterrupt
        between.pop(0)()

    monkeypatch.setattr(status, "sleep", pause)
    return between


SHOWN = rf"""jobs +1 pending
oldest waiting +\S+ m?s, in mail
last hour +none ended \(since {TIME}\)
database +sqlite:////\S+/data/orpheus\.db, [\d.]+ MiB

SLOT +STATE .*
supervisor +ready .*
api +ready .*
default-1 +ready .*
default-2 +fatal .* no module

\d problems need your attention\.
"""


def test_the_whole_system_is_shown_and_a_problem_exits_1(
    orpheus: Orpheus, supervised: Store
) -> None:
    supervised.jobs.submit(NewJob("words", queue="mail"))
    options = ("--set", "pools.default.queues=['a']")
    code, out, err = orpheus("status", *options)
    assert (code, err) == (1, "")
    found = re.match(SHOWN, out)
    assert found, out
    assert "- default-2 failed (fatal): no module. (orpheus restart default-2) [slot]\n" in out
    assert "- No pool serves queue mail; 1 job is waiting." in out
    told = orpheus("status", "--json", *options).json
    codes = {concern["code"] for concern in told["verdict"]["concerns"]}
    assert codes >= {"slot", "no_pool"}
    assert (told["counts"]["pending"], told["oldest_pending_queue"]) == (1, "mail")


def test_a_problem_that_somebody_knows_of_exits_0(orpheus: Orpheus, supervised: Store) -> None:
    said = orpheus("acknowledge", "slot", "--for", "1h", "--reason", "a new disk comes")
    assert said.code == 0 and said.out.startswith("slot default-2: acknowledged until ")
    code, out, _ = orpheus("status")
    assert code == 0
    assert "The only problem is acknowledged.\n- default-2 failed (fatal): no module." in out
    assert re.search(r"\(acknowledged by cli:\S+ until .+: a new disk comes\)", out)
    undone = "slot default-2: not acknowledged any more\n"
    assert orpheus("acknowledge", "--undo", "slot") == (0, undone, "")
    assert orpheus("status").code == 1
    assert [row.action for row in entries_of(supervised, 9)] == ["unacknowledge", "acknowledge"]


def test_nothing_runs_is_a_problem(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert out.endswith(
        "One problem needs your attention.\n- Orpheus is not running. (orpheus) [nothing_runs]\n"
    )


def test_in_a_pipe_it_is_printed_again_and_again(
    orpheus: Orpheus, store: Store, looks: Looks
) -> None:
    looks += [lambda: store.jobs.submit(NewJob("words"))]
    code, out, _ = orpheus("status", "--watch")
    assert code == 0
    told = [line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith("jobs ")]
    assert told == ["none yet", "1 pending"]
