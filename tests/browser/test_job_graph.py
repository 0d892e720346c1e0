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


def test_the_job_stays_where_it_is_seen_when_others_come(lasting_dashboard: Any, held: str) -> None:
    system = lasting_dashboard.system
    top = system.submit("step", queue=held)
    after: dict[str, Any] = {"type": "step", "queue": held, "depends_on": [top]}
    system.client.post("/jobs/batch", json={"jobs": [after] * 40})
    lasting_dashboard.page.set_viewport_size({"width": 1280, "height": 400})
    page = lasting_dashboard.open(f"/ui/jobs/{top}")
    expect(page.locator("#graph .node")).to_have_count(41)
    expect(page.locator("#graph")).to_have_attribute("data-more", "top bottom")
    box, own = page.locator("#graph"), page.locator("#graph .node[aria-current] rect")
    box.evaluate("node => { node.scrollTop = 50; }")
    seen = own.bounding_box()
    system.client.post("/jobs/batch", json={"jobs": [after] * 3})
    expect(page.locator("#graph .node")).to_have_count(44)
    now = own.bounding_box()
    assert seen is not None and now is not None
    assert abs(now["y"] - seen["y"]) <= 1 and abs(now["x"] - seen["x"]) <= 1
    assert box.evaluate("node => node.scrollTop") > 50


def test_of_more_jobs_than_a_picture_can_show_the_nearest_are_shown(
    lasting_dashboard: Any,
) -> None:
    jobs: list[dict[str, Any]] = [{"type": "step", "ref": "top"}]
    jobs += [{"type": "step", "depends_on": ["top"]} for _ in range(205)]
    system = lasting_dashboard.system
    top, *rest = system.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]
    page = lasting_dashboard.open(f"/ui/jobs/{top}")
    expect(page.locator("#graph .node")).to_have_count(200)
    expect(page.locator("#graph-bound")).to_contain_text("the nearest 200 are shown")
    expect(page.locator("#graph .node[aria-current]")).to_be_in_viewport()
    expect(page.locator("#graph .crowd text")).to_have_text("199 × step")
    box = page.locator("#graph")
    scrolled = "({ scrollWidth, scrollHeight }) => [scrollWidth, scrollHeight]"
    width, height = box.evaluate(scrolled)
    assert width <= box.evaluate("node => node.clientWidth"), "as wide as there is room"
    assert height < 900, "199 jobs are seen without scrolling a mile"
    page.set_viewport_size({"width": 360, "height": 740})
    expect(box).to_have_attribute("data-more", re.compile("right"))
    box.scroll_into_view_if_needed()
    expect(page.locator("#graph .node[aria-current]")).to_be_in_viewport()
    page.get_by_text("the same as a list").click()
    assert small_targets(page) == [], "neither in the picture nor in the list"
    system.wait_for_job(rest[-1])


def test_a_cancelled_job_says_who_cancelled_it_and_not_an_earlier_end(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    first = system.submit("step", delay="1h")
    second = system.submit("step", depends_on=[first])
    system.client.post(f"/jobs/{first}/cancel")
    system.client.post("/queues/default/pause")
    try:
        for job_id in (first, second):
            system.client.post(f"/jobs/{job_id}/retry")
        system.client.post(f"/jobs/{second}/cancel", json={"reason": "sent twice"})
        page = lasting_dashboard.open(f"/ui/jobs/{second}")
        why = page.locator("#why")
        expect(why.locator("h2")).to_have_text("Why it is cancelled")
        expect(why.locator("li")).to_contain_text("It is cancelled by api:127.0.0.1: sent twice;")
        expect(why.locator("li")).to_contain_text("its last error was DependencyFailed: it")
    finally:
        system.client.post("/queues/default/resume")
    system.wait_for_job(first)


def test_a_cancelled_job_says_by_what_and_with_which_job_it_began(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    first = system.submit("step", {"fail": True})
    second = system.submit("step", depends_on=[first])
    third = system.submit("step", depends_on=[second])
    system.wait_for_job(third)
    page = lasting_dashboard.open(f"/ui/jobs/{third}")
    why = page.locator("#why")
    expect(why.locator("h2")).to_have_text("Why it is cancelled")
    expect(why.locator("li").first).to_have_text(f"It depended on a job: job {second} is cancelled")
    expect(why.locator("li").last).to_have_text(
        f"It began with job {first} (step), which is failed: PermanentError: this step"
    )
    expect(page.locator("#timeline .mark-row")).to_contain_text(
        f"Cancelled: it depended on a job: job {second} is cancelled"
    )
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("#confirm-text")).to_have_text(
        f"It depends on job {second} (step), which is cancelled. "
        "Until that one is retried, this one cannot be."
    )
    page.keyboard.press("Escape")
    why.get_by_role("link", name=f"job {first}").click()
    expect(page.locator("h1")).to_have_text(f"step {first}")
    expect(page.locator("#errors summary")).to_have_text("PermanentError this step")
    expect(page.locator("#errors .rest")).to_have_text("is bad")


def test_a_retry_says_what_it_waits_for(lasting_dashboard: Any, tmp_path: Path) -> None:
    system, released = lasting_dashboard.system, tmp_path / "released"
    first = system.submit("hold", {"until": str(released)})
    second = system.submit("step", depends_on=[first])
    system.client.post(f"/jobs/{first}/cancel")
    system.wait_for_job(second)
    assert system.client.post(f"/jobs/{first}/retry").status_code == 200
    page = lasting_dashboard.open(f"/ui/jobs/{second}")
    expect(page.locator("#graph .node")).to_have_count(2)
    kept = "can use all its attempts again. Its earlier attempts and its log are kept."
    told = {"waits until job {} (hold) has ended, and": False, "becomes due now and": True}
    for text, is_released in told.items():
        if is_released:
            released.touch()
            expect(page.locator(f"#graph .node[href='/ui/jobs/{first}']")).to_have_attribute(
                "data-status", "done"
            )
        page.get_by_role("button", name="Retry …").click()
        expect(page.locator("#confirm-text")).to_have_text(f"The job {text.format(first)} {kept}")
        page.keyboard.press("Escape")
