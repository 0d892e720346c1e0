"""The names of slots in the panel of workers: however narrow it is, each tells which slot it is."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker

PIDS = 4_194_304
SHOWN = """(row) => {
  const name = row.querySelector('.name b'), cell = name.parentElement.getBoundingClientRect();
  const number = document.createRange();
  number.selectNodeContents(name.lastChild);
  const box = number.getBoundingClientRect();
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return box.width > 0 && box.right <= cell.right + 0.5 && name.contains(seen);
}"""


@pytest.fixture
def panel(lasting_dashboard: Any) -> Panel:
    return Panel(lasting_dashboard)


@pytest.mark.parametrize("several", [2, 24])
@pytest.mark.parametrize("width", [360, 1024, 1280, 1440, 1920])
def test_a_name_is_never_cut_at_its_number(panel: Panel, width: int, several: int) -> None:
    panel.page.set_viewport_size({"width": width, "height": 900})
    slots = [f"thumbnail-service-of-customers-{n}" for n in range(1, several + 1)]
    workers = [worker(slot, slot[:30], pid=PIDS + n) for n, slot in enumerate(slots)]
    page = panel.open(*workers, *SYSTEM)
    for n, slot in enumerate(slots):
        name = panel.row(slot).locator(".name")
        expect(name).to_have_attribute("title", f"{slot}, pid {PIDS + n}")
        name.scroll_into_view_if_needed()
        assert panel.row(slot).evaluate(SHOWN), slot
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 1440, 1920])
def test_each_of_many_rows_is_one_line_high_and_a_short_name_is_whole(
    panel: Panel, width: int
) -> None:
    panel.page.set_viewport_size({"width": width, "height": 900})
    slots = [f"sleeper-{n}" for n in range(1, 31)]
    page = panel.open(*(worker(slot, "sleeper", pid=PIDS) for slot in slots), *SYSTEM)
    expect(page.locator("#slots .slot")).to_have_count(32)
    rows = page.locator("#slots .slot")
    assert len({*rows.evaluate_all("rows => rows.map(row => row.clientHeight)")}) == 1
    whole = "(name) => name.scrollWidth <= name.clientWidth"
    for one in page.locator("#slots .slot .name b span").all():
        assert one.evaluate(whole), one.text_content()
    heads = page.locator(".slot.head > *, #slots .slot:first-child > *")
    lefts = heads.evaluate_all("cells => cells.map(cell => cell.getBoundingClientRect().x)")
    assert lefts[: len(lefts) // 2] == lefts[len(lefts) // 2 :], "its columns have their heads"
