"""The audit log: what of it is found, how far a search has looked, and what an action changed."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import NotFound
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import Actor, AuditFilter, AuditPage, Budget, Pause, Store
from orpheus.shared.storage.verbs import windows
from tests.audit_log import entries_of

Submit = Callable[..., int]
ADA = Actor("cli:ada", "as asked")


class NoTime(Budget):
    """A budget that is over after each window."""

    limit_s: float = 0.0

    def next_window(self, looked_at: int, window: int) -> int:
        return 0


FOUND: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [8, 7, 6, 5, 4, 3, 2, 1]),
    ({"by": "ADA"}, [6, 4, 2]),
    ({"by": "cli:%"}, []),
    ({"action": "pause"}, [3, 2]),
    ({"action": "pau"}, []),
    ({"target": "queue"}, [3, 2]),
    ({"target": "Queue mail"}, [2]),
    ({"target": "queue mai"}, []),
    ({"target": "configuration"}, [6]),
    ({"target": "job"}, [8, 7, 4, 1]),
    ({"target": "job 7"}, [1]),
    ({"target": "job 70"}, []),
    ({"target": "jobs with status=failed, queue=mail"}, [4]),
    ({"target": " jobs with q=a  b "}, [7]),
    ({"q": "100%"}, [3]),
    ({"q": "mail"}, [4, 3, 2]),
    ({"by": "ada", "target": "queue", "q": "mail"}, [2]),
    ({"since_ms": 3}, [8, 7, 6, 5, 4, 3]),
    ({"until_ms": 3}, [2, 1]),
    ({"since_ms": 2, "until_ms": 6, "action": "pause"}, [3, 2]),
    ({"job_id": 7, "by": "eve"}, [1]),
    ({"job_id": 7, "by": "ada"}, []),
    ({"job_id": 8, "target": "job 7"}, []),
]


def test_entries_are_found_by_who_what_on_what_when_and_by_a_text(
    store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW", 2)
    start_ms = clock.wall
    for by, action, target, reason in [
        ("cli:eve", "cancel", "job 7", "a mistake"),
        ("cli:ada", "pause", "queue mail", None),
        ("api:::1", "pause", "queue mails", "it is 100% mail"),
        ("cli:ada", "retry", "jobs with status=failed, queue=mail", None),
        ("cli:eve", "restart", "slot default-1", "hangs"),
        ("cli:ada", "configure", "configuration, back to version 3", None),
        ("cli:bob", "cancel", "jobs with q=a  b", None),
        ("cli:eve", "delete", "all jobs", None),
    ]:
        clock.advance(1)
        store.audit.record(action, target, by=by, reason=reason)
    for (given, ids), budget in product(FOUND, (None, NoTime)):
        times: dict[str, Any] = {
            name: start_ms + at for name, at in given.items() if name.endswith("_ms")
        }
        wanted = AuditFilter(**{**given, **times})
        found: list[int] = []
        before_id, pages = None, 0
        while pages == 0 or before_id is not None:
            page = store.audit.find(wanted, 3, before_id, budget and budget())
            found += [row.id for row in page.rows]
            before_id, pages = page.before_id, pages + 1
        assert found == ids, given


def test_a_search_that_takes_long_says_how_far_it_has_looked(
    store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW", 4)
    for number in range(10):
        clock.advance(1000)
        store.audit.record("cancel", f"job {number}", by="cli:eve" if number else "cli:ada")
    wanted = AuditFilter(by="ada")
    first = store.audit.find(wanted, 3, None, NoTime())
    assert first == AuditPage([], 7, 4, clock.wall - 3000)
    last = store.audit.find(wanted, 3, 3, NoTime())
    assert [row.target for row in last.rows] == ["job 0"]
    assert (last.before_id, last.looked_at) == (None, None)
    full = store.audit.find(AuditFilter(by="eve"), 4, None, NoTime())
    assert (len(full.rows), full.before_id, full.looked_at) == (4, 7, None)


def changes(store: Store) -> list[tuple[str, str | None, str | None]]:
    """What each entry says of its target, the oldest first."""
    return [(row.action, row.before, row.after) for row in reversed(entries_of(store, 50))]


def test_an_entry_tells_how_its_target_stood_before_and_after(
    store: Store, submit: Submit, lease: Any, clock: Any
) -> None:
    later = submit(type="resize", run_at_ms=clock.wall + 1000)
    store.jobs.run_now(later, ADA)
    lease(1)
    store.jobs.cancel(later, ADA)
    gone = submit(type="resize")
    store.jobs.cancel(gone, ADA)
    store.jobs.retry(gone, ADA)
    store.jobs.cancel(gone)
    store.jobs.delete(gone, ADA)
    assert changes(store) == [
        ("run", "pending until 2027-01-15T08:00:01.000Z", "pending"),
        ("cancel", "in progress", "in progress, asked to stop"),
        ("cancel", "pending", "cancelled"),
        ("retry", "cancelled", "pending"),
        ("delete", "cancelled, of type resize", "deleted"),
    ]
    with pytest.raises(NotFound, match="no job"):
        store.jobs.retry(gone, ADA)
    assert len(entries_of(store, 50)) == 5


def test_only_a_new_reason_changes_who_paused_what_is_paused_already(
    store: Store, clock: Any
) -> None:
    store.schedules.configure([ScheduleDefinition("mail", "noop", every_s=60)])
    pauses = (
        (operator_actions.pause_queue, store.waiting.pauses, "open"),
        (operator_actions.pause_schedule, store.schedules.pauses, "running"),
    )
    for pause, standing, unpaused in pauses:
        told = len(changes(store))
        assert pause(store, ADA, "mail", paused=True) is None
        first, events = Pause("cli:ada", "as asked", clock.wall), store.events.last_seq()
        clock.advance(60_000)
        for again in (Actor("cli:eve"), Actor("cli:eve", ""), Actor("cli:eve", "as asked")):
            assert pause(store, again, "mail", paused=True) == first
            assert standing()["mail"] == first
        assert store.events.last_seq() == events, "nothing has happened"
        assert pause(store, Actor("cli:eve", "it is down"), "mail", paused=True) == first
        assert standing()["mail"] == Pause("cli:eve", "it is down", clock.wall)
        assert changes(store)[told:] == [
            ("pause", unpaused, "paused"),
            ("pause", "paused by cli:ada: as asked", "paused"),
        ]
