"""The names of slots in the panel of workers: however narrow it is, each tells which slot it is."""

import pytest
from playwright.sync_api import expect

from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker

PIDS = 4_194_304
SHOWN = """(rows) => rows.map((row) => {
  const name = row.querySelector('.name b'), cell = name.parentElement.getBoundingClientRect();
  name.scrollIntoView({ block: "center", behavior: "instant" });
  const number = document.createRange();
  number.selectNodeContents(name.lastChild);
  const box = number.getBoundingClientRect();
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return box.width > 0 && box.right <= cell.right + 0.5 && name.contains(seen);
})"""
CUT = """(names) => names.filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => one.textContent)"""


@pytest.mark.parametrize("several", [2, 24])
def test_a_name_is_never_cut_at_its_number(panel: Panel, several: int) -> None:
    slots = [f"thumbnail-service-of-customers-{n}" for n in range(1, several + 1)]
    workers = [worker(slot, slot[:30], pid=PIDS + n) for n, slot in enumerate(slots)]
    page = panel.open(*workers, *SYSTEM)
    names = page.locator("#slots .slot .name")
    titles = [f"{slot}, pid {PIDS + n}" for n, slot in enumerate(slots)]
    for width in (360, 1024, 1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        told = names.evaluate_all("names => names.map((name) => name.title)")
        assert told[:several] == titles
        rows = page.locator("#slots .slot")
        assert rows.evaluate_all(SHOWN)[:several] == [True] * several, width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_each_of_many_rows_is_one_line_high_and_a_short_name_is_whole(panel: Panel) -> None:
    slots = [f"sleeper-{n}" for n in range(1, 31)]
    page = panel.open(*(worker(slot, "sleeper", pid=PIDS) for slot in slots), *SYSTEM)
    rows = page.locator("#slots .slot")
    cells = page.locator(".slot.head > *, #slots .slot:first-child > *")
    expect(rows).to_have_count(32)
    for width in (1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert len({*rows.evaluate_all("rows => rows.map(row => row.clientHeight)")}) == 1
        names = page.locator("#slots .slot .name b span")
        assert names.evaluate_all(CUT) == [], width
        lefts = cells.evaluate_all("cells => cells.map(cell => cell.getBoundingClientRect().x)")
        half = len(lefts) // 2
        assert lefts[:half] == lefts[half:], "its columns have their heads"
