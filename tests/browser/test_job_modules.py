"""The modules of the page of a job that import nothing: they run in an empty page."""

import base64
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

SCRIPTS = Path(__file__).parents[2] / "api" / "dashboard" / "static" / "js"
SIZE = {"width": 150, "height": 38, "gapX": 36, "gapY": 12}


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Page]:
    """An empty page: a new one for each test would take longer than the tests."""
    page = browser.new_page()
    yield page
    page.close()


def encoded(module: str) -> str:
    """Return the address from which an empty page can import a module."""
    code = base64.b64encode(next(SCRIPTS.rglob(module)).read_bytes()).decode()
    return f"data:text/javascript;base64,{code}"


def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """Return what a function of a module returns."""
    return page.evaluate(
        """async ([url, name, given]) => {
            const found = (await import(url))[name](...given);
            if (found?.positions) found.positions = [...found.positions];
            return found;
        }""",
        [encoded(module), function, list(arguments)],
    )


# folding.js


def numbers(entries: list[dict[str, Any]]) -> list[Any]:
    """Return the numbers of attempts, a list for each fold, and what the marks say."""
    return [numbers(one["fold"]) if "fold" in one else next(iter(one.values())) for one in entries]


@pytest.mark.parametrize(
    ("entries", "shown"),
    [
        (list(range(1, 11)), list(range(1, 11))),
        (list(range(1, 12)), [1, [2, 3, 4, 5, 6], 7, 8, 9, 10, 11]),
        (
            [1, "a", 2, 3, 4, "retried", "run", 5, 6, *range(7, 13), "b"],
            [1, "a", [2, 3, 4], "retried", "run", [5, 6, 7], 8, 9, 10, 11, 12, "b"],
        ),
        ([1, 2, 3, "retried", *range(4, 12)], [1, 2, 3, "retried", [4, 5, 6], *range(7, 12)]),
    ],
    ids=["ten attempts are shown", "eleven are folded", "marks stay", "two need no fold"],
)
def test_of_many_attempts_the_middle_is_folded_and_no_mark_is(
    shared_page: Page, entries: list[Any], shown: list[Any]
) -> None:
    given = [{"mark": one} if isinstance(one, str) else {"span": one} for one in entries]
    assert numbers(call(shared_page, "folding.js", "folded", given)) == shown


def test_a_fold_says_how_its_attempts_ended_most_first(shared_page: Page) -> None:
    outcomes = ["failed", "snoozed", "timed_out", "snoozed"]
    ends = call(shared_page, "folding.js", "endsOf", outcomes)
    assert ends == "2 snoozed, 1 failed, 1 timed out"


# layered.js


def laid_out(page: Page, ids: list[int], edges: list[tuple[int, int]]) -> dict[str, Any]:
    found: dict[str, Any] = call(page, "layered.js", "layOut", ids, edges, SIZE)
    found["positions"] = {
        one: (position["x"], position["y"]) for one, position in found["positions"]
    }
    return found


def random_graph(chance: random.Random, count: int) -> tuple[list[int], list[tuple[int, int]]]:
    ids = list(range(1, count + 1))
    edges = [
        (earlier, later)
        for later in ids[1:]
        for earlier in sorted({chance.randrange(1, later) for _ in range(chance.randint(0, 3))})
    ]
    chance.shuffle(ids)
    return ids, edges


@pytest.mark.parametrize("count", [1, 2, 7, 40, 200])
def test_what_waits_stands_right_of_what_it_waits_for_and_nothing_overlaps(
    shared_page: Page, count: int
) -> None:
    ids, edges = random_graph(random.Random(count), count)
    found = laid_out(shared_page, ids, edges)
    positions = found["positions"]
    assert set(positions) == set(ids)
    for earlier, later in edges:
        assert positions[earlier][0] + SIZE["width"] < positions[later][0]
    for column in {x for x, _ in positions.values()}:
        heights = sorted(y for x, y in positions.values() if x == column)
        apart = SIZE["height"] + SIZE["gapY"]
        assert all(low + apart <= high + 0.01 for low, high in pairwise(heights))
    assert min(y for _, y in positions.values()) >= -0.01
    assert max(x for x, _ in positions.values()) + SIZE["width"] == found["width"]
    assert max(y for _, y in positions.values()) + SIZE["height"] <= found["height"] + 0.01
    assert sorted((line["from"], line["to"]) for line in found["lines"]) == sorted(edges)


def test_a_line_begins_at_one_job_ends_at_the_other_and_bends_in_between(shared_page: Page) -> None:
    found = laid_out(shared_page, [1, 2, 3], [(1, 2), (2, 3), (1, 3)])
    long = next(line for line in found["lines"] if (line["from"], line["to"]) == (1, 3))
    positions, points = found["positions"], long["points"]
    assert points[0] == {"x": SIZE["width"], "y": positions[1][1] + SIZE["height"] / 2}
    assert points[-1] == {"x": positions[3][0], "y": positions[3][1] + SIZE["height"] / 2}
    between = [point["y"] for point in points[1:-1]]
    middle = positions[2][1] + SIZE["height"] / 2
    assert all(abs(y - middle) >= SIZE["height"] for y in between), "it passes the job in between"


def test_a_job_stands_in_the_middle_of_those_that_wait_for_it(shared_page: Page) -> None:
    found = laid_out(shared_page, [1, 2, 3, 4], [(1, 2), (1, 3), (1, 4)])
    heights = {one: y for one, (_, y) in found["positions"].items()}
    assert heights[1] == pytest.approx((heights[2] + heights[3] + heights[4]) / 3)


def test_lines_that_need_not_cross_do_not(shared_page: Page) -> None:
    found = laid_out(shared_page, [1, 2, 3, 4, 5, 6], [(1, 6), (2, 5), (3, 4)])
    positions = found["positions"]
    order = sorted([1, 2, 3], key=lambda one: positions[one][1])
    partners = {1: 6, 2: 5, 3: 4}
    assert sorted([4, 5, 6], key=lambda one: positions[one][1]) == [partners[one] for one in order]


def test_blocks_move_as_near_to_their_wishes_as_order_and_room_allow(shared_page: Page) -> None:
    assert call(shared_page, "layered.js", "spread", [0, 100, 200], 50) == [0, 100, 200]
    assert call(shared_page, "layered.js", "spread", [100, 100], 50) == [75, 125]
    assert call(shared_page, "layered.js", "spread", [200, 0], 50) == [75, 125]


# crash.js

DUMP = """Fatal Python error: Segmentation fault

Thread 0x00007fe8ebfff6c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 331 in wait
  File "/srv/orpheus/worker/leasing/renewal.py", line 51 in run

Current thread 0x00007fe8fc211340 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/srv/shop/jobs.py", line 8 in resize
  File "/srv/orpheus/shared/job_types/registry.py", line 54 in call
  File "/srv/orpheus/worker/attempt/executor.py", line 136 in _run_code
"""


def test_of_a_dump_what_the_job_did_comes_first_without_the_workers_own_calls(
    shared_page: Page,
) -> None:
    assert call(shared_page, "crash.js", "readDump", DUMP) == {
        "own": [
            "Fatal Python error: Segmentation fault",
            '  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at',
            '  File "/srv/shop/jobs.py", line 8 in resize',
        ],
        "threads": 2,
    }


def test_of_a_job_that_awaited_its_coroutine_comes_first(shared_page: Page) -> None:
    awaits = "Coroutine of job 12 (report), which awaits a Future"
    frames = (
        '  File "/srv/shop/jobs.py", line 3 in fetch\n  File "/srv/shop/jobs.py", line 9 in report'
    )
    fatal, threads = DUMP.split("\n\n", 1)
    text = f"{fatal}\n\n{awaits} (most recent call first):\n{frames}\n\n{threads}"
    assert call(shared_page, "crash.js", "readDump", text) == {
        "own": [fatal, awaits, *frames.split("\n")],
        "threads": 2,
    }


# history.js


def at(second: float) -> str:
    return f"2026-01-31T12:00:{second:06.3f}Z"


def event(second: float, kind: str, status: str, **job: Any) -> dict[str, Any]:
    started = None if status in ("blocked", "pending") else at(0)
    job = {"status": status, "error": None, "started_at": started, **job}
    return {"at": at(second), "kind": f"job.{kind}", "job": job}


def entry(second: float, action: str, target: str = "job 7", **more: Any) -> dict[str, Any]:
    return {"at": at(second), "action": action, "target": target, "by": "cli:ada", **more}


def test_an_operators_action_is_told_with_what_became_of_it(shared_page: Page) -> None:
    events = [
        event(0, "enqueued", "pending"),
        event(1, "started", "in_progress"),
        event(2, "cancel_requested", "in_progress"),
        event(3, "cancelled", "cancelled"),
        event(20, "requeued", "pending"),
        event(31, "requeued", "pending"),
    ]
    entries = [
        entry(31, "run", reason=None),
        entry(10, "retry", "jobs with tag=eu", reason="all of them"),
        entry(2.1, "cancel", "jobs 7", reason="too slow"),
    ]
    marks = call(shared_page, "history.js", "marksOf", events, entries)
    assert [(one["what"], one["reason"], one["target"]) for one in marks] == [
        ("cancel requested", "too slow", None),
        ("retried", "all of them", "jobs with tag=eu"),
        ("made due now", None, None),
    ]
    assert {one["by"] for one in marks} == {"cli:ada"}


@pytest.mark.parametrize("read", [[[6], [6, 7]], [[6, 7], [6]]])
def test_of_two_readings_at_once_each_event_is_kept_once(
    shared_page: Page, read: list[list[int]]
) -> None:
    """A second `job.requeued` after the start would read as "made due now"."""
    events = [{"seq": 5}]
    for seqs in read:
        events = call(shared_page, "history.js", "addNewer", events, [{"seq": seq} for seq in seqs])
    assert [event["seq"] for event in events] == [5, 6, 7]


# same-request.js

JOB = {
    "type": "resize", "payload": {"n": 1}, "queue": "media", "priority": 0, "attempt": 0,
    "run_at": at(0), "max_retries": 3, "timeout": 900, "unique_key": None, "concurrency_key": None,
    "tags": [], "depends_on": [], "on_dependency_failure": "cancel",
}  # fmt: skip
DEFAULTS = {"queue": "media", "max_retries": 3, "timeout": 900}
NOON_MS = 1_769_860_800_000


def same(page: Page, **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = call(
        page, "same-request.js", "sameRequest", {**JOB, **changes}, DEFAULTS, NOON_MS
    )
    assert (request.pop("type"), request.pop("payload")) == ("resize", {"n": 1})
    return request


def test_the_same_request_has_what_differs_from_the_defaults_of_the_type_and_nothing_else(
    shared_page: Page,
) -> None:
    assert same(shared_page) == {}
    changes = {
        "queue": "mail", "priority": 5, "max_retries": 0, "timeout": 20, "unique_key": "a",
        "concurrency_key": "b", "tags": ["eu"], "depends_on": [3], "on_dependency_failure": "run",
    }  # fmt: skip
    assert same(shared_page, **changes) == changes


def test_a_time_is_repeated_only_if_it_has_not_come_and_is_no_backoff(shared_page: Page) -> None:
    assert same(shared_page, run_at=at(5)) == {"run_at": at(5)}
    assert same(shared_page, run_at=at(5), attempt=1) == {}


# dom.js


def test_the_focus_stays_or_goes_to_the_child_that_takes_the_place_of_one_that_is_gone(
    shared_page: Page,
) -> None:
    focused = shared_page.evaluate(
        """async (url) => {
            const { arrange, h } = await import(url);
            const links = ["a", "b", "c"].map((text) => h("a", { href: "#" }, text));
            const row = h("div", {}, h("button", {}, "in a row"));
            const list = h("div", {}, ...links, row);
            document.body.replaceChildren(list);
            links[1].focus();
            const [a, b, c] = links, focused = [];
            for (const children of [[b, row, a, c], [row, a, c], [a, c]]) {
                arrange(list, children);
                focused.push(document.activeElement.textContent);
            }
            return focused;
        }""",
        encoded("dom.js"),
    )
    assert focused == ["b", "in a row", "a"]
