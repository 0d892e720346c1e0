"""The graph around a job, and what it says of those that were cancelled by it."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.layout import small_targets
from tests.machine import wait_until

WIDTHS = [1, 6, 10, 10, 8, 4, 1]


def flow(system: Any, released: Path) -> list[int]:
    """Submit 40 jobs in layers, each after two of the layer before; their ids.

    The first one runs until the file `released` is there.
    """
    jobs: list[dict[str, Any]] = []
    before: list[str] = []
    for width in WIDTHS:
        layer = []
        for place in range(width):
            ref = f"step-{len(jobs)}"
            first = place * len(before) // width
            after = sorted({before[first], before[(first + 1) % len(before)]}) if before else []
            after = before if width == 1 else after
            jobs.append({"type": "step", "ref": ref, "depends_on": after})
            layer.append(ref)
        before = layer
    jobs[0] |= {"type": "hold", "payload": {"until": str(released)}}
    ids: list[int] = system.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]
    return ids


def statuses(page: Page) -> list[str]:
    found: list[str] = page.locator("#graph .node").evaluate_all(
        "nodes => nodes.map(({ dataset }) => dataset.status)"
    )
    return found


def test_a_graph_of_40_jobs_goes_green_while_it_is_watched(
    lasting_dashboard: Any, tmp_path: Path
) -> None:
    system, released = lasting_dashboard.system, tmp_path / "released"
    system.client.post("/queues/default/pause", json={"reason": "until it is watched"})
    try:
        *_, last = ids = flow(system, released)
        page = lasting_dashboard.open(f"/ui/jobs/{last}")
        expect(page.locator("#graph .node")).to_have_count(40)
        assert set(statuses(page)) == {"pending", "blocked"}
        expect(page.locator("#why-reasons li")).to_have_count(5)
        expect(page.locator("#why")).to_contain_text(f"It waits for job {ids[-2]} (step)")
        expect(page.locator("#why")).to_contain_text("by api:127.0.0.1: until it is watched")
        page.set_viewport_size({"width": 360, "height": 740})
        wait_until(lambda: not small_targets(page), "the graph to be drawn for fingers")
        system.client.post("/queues/default/resume")
        expect(page.locator("#graph .node[data-status=in_progress]")).to_have_count(1)
    finally:
        released.touch()
        system.client.post("/queues/default/resume")
    expect(page.locator("#graph .node[data-status=done]")).to_have_count(40)
    expect(page.locator("#graph-summary")).to_have_text("40 jobs: 40 done")
    expect(page.locator("#why")).to_be_hidden()
    assert lasting_dashboard.never_reloaded()


def test_its_jobs_are_links_for_the_keyboard_and_a_list_for_a_screen_reader(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    first = system.submit("step")
    second = system.submit("step", depends_on=[first])
    third = system.submit("step", depends_on=[second])
    system.wait_for_job(third)
    page = lasting_dashboard.open(f"/ui/jobs/{second}")
    group = page.get_by_role("group", name="Jobs before and after this one")
    expect(group.get_by_role("link")).to_have_count(3)
    expect(group.get_by_role("link", name=f"job {third}, step: done")).to_be_visible()
    own = group.get_by_role("link", name=f"job {second}, step: done, this job")
    expect(own).to_have_attribute("aria-current", "page")
    page.get_by_text("the same as a list").click()
    expect(page.locator("#graph-list li").last).to_have_text(
        re.compile(rf"job {third} step: done, after {second}")
    )
    group.get_by_role("link").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"step {third}")
