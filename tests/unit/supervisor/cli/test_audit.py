"""`orpheus audit` and `timeline`."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


@pytest.fixture
def trail(store: Store) -> Store:
    """Three entries of two people."""
    store.audit.record("cancel", "job 7", by="cli:ada", reason="a mistake")
    store.audit.record("pause", "queue mail", by="api:127.0.0.1", before="running", after="paused")
    store.audit.record("retry", "jobs with status=failed", by="cli:ada", count=41)
    return store


LISTED = rf"""ID +AT +BY +ACTION  ON +CHANGE +COUNT  REASON
3   {TIME}  cli:ada +retry +jobs with status=failed +- +41 +-
2   {TIME}  api:127\.0\.0\.1  pause +queue mail +running → paused  1 +-
1   {TIME}  cli:ada +cancel +job 7 +- +1 +a mistake
"""


@pytest.mark.usefixtures("trail")
def test_actions_are_listed_newest_first_with_who_what_and_why(orpheus: Orpheus) -> None:
    code, out, err = orpheus("audit")
    assert (code, err) == (0, "")
    assert re.fullmatch(LISTED, out)
    answer = orpheus("audit", "--json").json
    assert [(item["id"], item["count"]) for item in answer["items"]] == [(3, 41), (2, 1), (1, 1)]
    assert answer["next_before"] is None
    assert orpheus("audit", "--limit", "2").err == "older entries: --before 2\n"
    older = orpheus("audit", "--json", "--before", "3").json
    assert [item["id"] for item in older["items"]] == [2, 1]


@pytest.mark.usefixtures("trail")
def test_the_timeline_is_listed_newest_first(orpheus: Orpheus) -> None:
    _, first, *rows = orpheus("timeline", "--limit", "2").out.splitlines()
    assert re.split("  +", first)[1:] == [
        "operator.retry", "jobs with status=failed", "cli:ada", "retry jobs with status=failed",
    ]  # fmt: skip
    assert len(rows) == 1
    (found,) = orpheus("timeline", "--search", "mistake", "--since", "1h", "--json").json["items"]
    assert found["subject"] == "job 7"
    assert orpheus("timeline", "--until", "yesterday").err == "no event matches\n"
    assert orpheus("timeline", "--since", "1h", "--until", "2h").code == 2
