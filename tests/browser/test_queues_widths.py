"""The table of queues at each width: what stands in one line, and beside what."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import some_queue
from tests.browser.kept_queues import (  # noqa: F401 - fixtures
    MadeUpQueues,
    kept_queues,
    lent_queues,
)
from tests.variants import variants


def row(page: Any, queue: str) -> Any:
    return page.locator(f"#queue-{queue}")


def top(part: Any) -> float:
    top_px: float = part.bounding_box()["y"]
    return top_px


def test_at_a_desk_nothing_short_wraps_and_in_a_narrower_window_it_is_still_a_table(
    made_up: MadeUpQueues,
) -> None:
    page = made_up.show(some_queue() | {"max_running": 0, "rate": "20/s", "burst": 5})
    page.set_viewport_size({"width": 1440, "height": 900})
    desk = row(page, "desk")
    expect(desk.locator(".limits div div")).to_have_text("starts 20/s, burst 5")
    for cell in (".limits", ".pools"):
        line = desk.locator(f"{cell} div div").bounding_box()
        assert line["height"] < 24, cell
    for width in (1440, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_role("columnheader", name="backlog")).to_be_visible()
        tops = {cell: desk.locator(cell).bounding_box()["y"] for cell in (".name", ".backlog")}
        assert abs(tops[".name"] - tops[".backlog"]) < 2, width


NUMBERS = """() => [...document.querySelectorAll(".counts a")].flatMap((link) => {
    const box = (one) => {
        const text = document.createRange();
        text.selectNodeContents(one);
        return text.getBoundingClientRect();
    };
    const [number, word] = [...link.children].map(box), cell = link.closest("td");
    const next = cell.nextElementSibling.getBoundingClientRect();
    const isBelow = word.top >= number.bottom - 4;
    const isClear = isBelow || word.left - number.right > 3;
    return isClear && word.right <= Math.max(cell.getBoundingClientRect().right, next.left) + 1
        ? [] : [link.textContent];
})"""


@pytest.mark.parametrize("width", variants([800, 1010, 1190, 1366, 1536], 800, 1190))
def test_the_table_keeps_its_place_while_what_is_said_above_it_grows(
    made_up: MadeUpQueues, width: int
) -> None:
    one = some_queue()
    pending = {"due": 900, "counts": {**one["counts"], "pending": 900}}
    held = [{"type": "resize", "jobs": 400, "relation": "eq", "oldest_s": 60}]
    well = [{**one, "name": f"queue-{n}"} for n in range(10)]
    bad = [
        well[0] | pending | {"paused": True},
        well[1] | pending | {"pools": [], "none_starts": "no pool serves it"},
        well[2] | pending | {"none_starts": "no worker is ready", "unready": "pool a is drained"},
        well[3] | pending | {"starved": True, "none_starts": "its workers run other jobs"},
        well[4] | pending | {"held_back": held},
        *well[5:],
    ]
    page = made_up.show(*well)
    page.set_viewport_size({"width": width, "height": 900})
    summary, head = page.locator("#summary"), page.locator("table thead")
    expect(summary).to_have_text(re.compile("nothing is pending"))
    before_px = top(head)
    made_up.show(*bad)
    expect(summary).to_have_text(re.compile("400 by quarantines"))
    assert top(head) == pytest.approx(before_px, abs=0.5)
    overlaps = page.evaluate(
        "() => document.querySelector('#search').getBoundingClientRect().left"
        " < document.querySelector('.list-head h1').getBoundingClientRect().right"
    )
    assert not overlaps


def test_a_number_of_many_digits_stands_beside_its_word(made_up: MadeUpQueues) -> None:
    one = some_queue()
    queues = [
        {**one, "name": name, "counts": dict.fromkeys(one["counts"], number)}
        for name, number in (("few", 3), ("usual", 29_679), ("many", 1_234_567))
    ]
    page = made_up.show(*queues)
    row(page, "many").wait_for()
    for width in (1920, 1440, 1280, 1279, 1024, 980, 768, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(NUMBERS) == [], width
        lefts = [row(page, name).locator(".flow").bounding_box()["x"] for name in ("few", "many")]
        assert lefts[0] == lefts[1], width
        if width >= 980:
            column: Any = page.get_by_role("columnheader", name="/min lately")
            head = column.bounding_box()
            flow = row(page, "few").locator(".flow").bounding_box()
            assert abs(head["x"] + head["width"] - flow["x"] - flow["width"]) < 2, width
            assert column.evaluate("head => head.scrollWidth <= head.clientWidth"), width
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_the_numbers_of_all_queues_stand_in_line(made_up: MadeUpQueues) -> None:
    one = some_queue()
    queues = [
        {**one, "name": f"q{n}", "counts": {**one["counts"], "pending": n, "done": n}}
        for n in (1, 12_345)
    ]
    page = made_up.show(*queues)
    expect(page.locator("#rows tr")).to_have_count(2)
    for width in (1440, 1024, 768):
        page.set_viewport_size({"width": width, "height": 900})
        for status in ("pending", "done"):
            boxes = [one.bounding_box() for one in page.locator(f"[data-status={status}] b").all()]
            ends = {round(box["x"] + box["width"]) for box in boxes if box}
            assert len(ends) == 1, (width, status)
