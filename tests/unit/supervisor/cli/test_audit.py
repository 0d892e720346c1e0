"""`orpheus audit`."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.storage import Store

Orpheus = Callable[..., Any]


@pytest.fixture
def trail(store: Store) -> Store:
    """Three entries of two people."""
    store.audit.record("cancel", "job 7", by="cli:ada", reason="a mistake")
    store.audit.record("pause", "queue mail", by="api:127.0.0.1", before="running", after="paused")
    store.audit.record("retry", "jobs with status=failed", by="cli:ada", count=41)
    return store


@pytest.mark.usefixtures("trail")
def test_actions_are_listed_newest_first_with_who_what_and_why(orpheus: Orpheus) -> None:
    head, retry, pause, cancel = orpheus("audit").out.splitlines()
    assert head.split() == ["ID", "AT", "BY", "ACTION", "ON", "CHANGE", "COUNT", "REASON"]
    assert retry.endswith(
        "cli:ada        retry   jobs with status=failed  -                 41     -"
    )
    assert "api:127.0.0.1  pause   queue mail               running → paused  1 " in pause
    assert cancel.endswith("a mistake")
    answer = orpheus("audit", "--json").json
    assert [(one["id"], one["count"]) for one in answer["items"]] == [(3, 41), (2, 1), (1, 1)]
    assert answer["next_before"] is None


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--by", "ada"], [3, 1]),
        (["--action", "pause"], [2]),
        (["--target", "job"], [3, 1]),
        (["--by", "ada", "--target", "job 7"], [1]),
        (["--target", "queue"], [2]),
        (["--q", "MISTAKE"], [1]),
        (["--until", "1h"], []),
        (["--since", "1h"], [3, 2, 1]),
        (["--before", "3"], [2, 1]),
        (["--action", "drain"], []),
    ],
)
def test_a_part_of_them_is_listed(orpheus: Orpheus, options: list[str], ids: list[int]) -> None:
    assert [one["id"] for one in orpheus("audit", "--json", *options).json["items"]] == ids


@pytest.mark.usefixtures("trail")
def test_an_action_that_does_not_exist_is_refused_and_not_told_as_never_done(
    orpheus: Orpheus,
) -> None:
    refused = orpheus("audit", "--action", "retries")
    assert (refused.code, refused.out) == (2, "")
    assert "'retries' is not one of 'cancel', 'retry'" in refused.err


def test_what_is_older_than_asked_for_is_left_out(
    orpheus: Orpheus, trail: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_ms = 86_400_000
    trail._database.run("UPDATE audit SET at_ms = at_ms - ? WHERE id < 3", day_ms)
    assert [one["id"] for one in orpheus("audit", "--json", "--since", "1h").json["items"]] == [3]
    assert [one["id"] for one in orpheus("audit", "--json", "--until", "1h").json["items"]] == [
        2,
        1,
    ]
    assert orpheus("audit", "--since", "soon").code == 2
    assert orpheus("audit", "--target", " ,").code == 2
    assert orpheus("audit", "--since", "1h", "--until", "2h").code == 2


def test_what_lies_behind_entries_that_are_older_is_not_looked_for(
    orpheus: Orpheus, trail: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.shared.storage.verbs.windows._FIRST_WINDOW", 1)
    monkeypatch.setattr("orpheus.shared.storage.verbs.windows._MORE_BY", 1)
    trail._database.run("UPDATE audit SET at_ms = at_ms - ? WHERE id = 2", 2 * 86_400_000)
    assert [one["id"] for one in orpheus("audit", "--json", "--since", "1h").json["items"]] == [3]


def test_pages_follow_each_other(orpheus: Orpheus, trail: Store) -> None:
    with trail.write(durable=False):
        for number in range(1_200):
            trail.audit.record("cancel", f"job {number}", by="cli:bob" if number % 2 else "cli:eve")
    seen: list[int] = []
    before: list[str] = []
    while True:
        page = orpheus("audit", "--json", "--by", "bob", "--limit", "250", *before).json
        seen += [one["id"] for one in page["items"]]
        if page["next_before"] is None:
            break
        before = ["--before", str(page["next_before"])]
    assert len(seen) == 600 and seen == sorted(set(seen), reverse=True)
    code, _, err = orpheus("audit", "--limit", "2")
    assert (code, err) == (0, "older ones: --before 1202\n")


@pytest.mark.usefixtures("trail")
def test_a_narrow_terminal_shows_on_what_how_many_and_why(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, err = orpheus("audit")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["ID", "AT", "BY", "ACTION", "ON", "COUNT", "REASON"]
    assert re.match(r"\d+   \d\d:\d\d:\d\d  cli:ada ", lines[1])
    assert "  jobs with status=failed  41 " in lines[1]
    assert lines[3].endswith("  a mistake")
    assert err == "left out at this width: CHANGE; `orpheus audit ID` shows all of one\n"


def test_one_entry_is_told_whole(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "jobs with type=failing, queue=default, created_from=2026-11-29T00:00:00Z, id<=1588"
    store.audit.record("retry", many, by="cli:ada", count=88)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, err = orpheus("audit")
    assert out.startswith("ID  ") and many not in out
    assert "`orpheus audit ID` shows all of one" in err
    told = orpheus("audit", "1").out
    assert many in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= 80
    assert orpheus("audit", "1", "--json").json["target"] == many
    assert orpheus("audit", str(2**63 - 1)).code == 1
    assert orpheus("audit", "1", "--by", "ada").code == 2, "an ID is no part of a filter"
    missing = orpheus("audit", "2")
    assert (missing.code, missing.err) == (1, "orpheus: the audit log has no entry 2\n")


def test_the_narrowest_terminal_shows_on_what_and_leaves_out_by_whom(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    store.audit.record("configure", "schedule nightly", by="cli:ada")
    store.audit.record("pause", "queue mail", by="cli:ada")
    store.audit._database.run("UPDATE audit SET id = id + 99997")
    head, newest, older = orpheus("audit").out.splitlines()
    assert head.split() == ["ID", "AT", "ACTION", "ON"], "`orpheus audit ID` shows all of one"
    assert re.fullmatch(r"99999  \d\d:\d\d:\d\d  pause      queue mail", newest)
    assert re.fullmatch(r"99998  \d\d:\d\d:\d\d  configure  schedule ni…", older)


def test_a_wide_terminal_shows_a_change_whole_and_cuts_on_what(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    store.audit.record("retry", f"jobs with {'x' * 80}", by="cli:ada", count=41)
    store.audit.record("pause", "queue mail", by="cli:ada", before="running", after="paused")
    lines = orpheus("audit").out.splitlines()
    assert "  running → paused  " in lines[1]
    assert "x…  " in lines[2]


TOLD_WHOLE = {
    "a version": (
        "configuration",
        "version 1023",
        "version 1024: pools.default.workers",
        " version 1023 → 1024: ",
    ),
    "a version gone back to": (
        "configuration, back to version 12",
        "version 13",
        "version 14",
        " version 13 → 14 ",
    ),
    "a schedule": (
        "schedule every-nine-hours",
        "paused",
        "running",
        " schedule every-nine-hours ",
    ),
    "a slot": ("slot thumbnails-12", "ready, process 123456", None, " was ready"),
    "a quarantine": ("type thumbnail", "quarantined", "released", " quarantined → released"),
    "a job": ("job 123456789", "pending", "cancelled", " job 123456789 "),
}


@pytest.mark.parametrize(
    ("target", "before", "after", "told"), TOLD_WHOLE.values(), ids=list(TOLD_WHOLE)
)
def test_a_narrow_terminal_leaves_a_change_out_before_the_reason_and_cuts_neither_to_nonsense(
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    before: str | None,
    after: str | None,
    told: str,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    who, why = "api:127.0.0.1", "more workers for the evening"
    store.audit.record("configure", target, by=who, reason=why, before=before, after=after)
    for width in (80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        _, out, err = orpheus("audit")
        head, line = out.splitlines()
        assert len(line) <= width and who in line and "  more wo" in line
        assert ("CHANGE" in head) is ("CHANGE" not in err), width
        if "CHANGE" in head:
            assert told in line.replace("…", " ") + " "
    assert "CHANGE" in head


def test_of_many_kinds_none_is_told_as_another(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    for target, before, after, _ in TOLD_WHOLE.values():
        who = "api:192.168.100.123"
        store.audit.record("configure", target, by=who, reason="why", before=before, after=after)
    store.audit.record("retry", "jobs with status=failed, type=mail, id<=900", by="cli:ada")
    for width in range(64, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = orpheus("audit").out.splitlines()
        assert max(map(len, lines)) <= width
        assert not re.search(r"\d…", "".join(lines)), "a part of a number is another number"
        names = {*lines[0].split()}
        assert "ON" in names
        assert width < 80 or "REASON" in names
        assert width < 104 or "CHANGE" in names
