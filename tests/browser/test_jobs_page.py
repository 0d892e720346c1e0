"""The page of jobs, as an operator works: find, go through the list, go away and come back."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store
from tests.browser.conftest import READ_ONLY, Dashboard
from tests.browser.examine import examine
from tests.browser.interception import Route, intercept
from tests.browser.job_list import row, rows
from tests.variants import variants


def test_the_keys_go_through_the_list(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    first = fail(1, "keys")[0]
    done = system.submit("sum_range", {"n": 1}, tags=["keys"])
    system.wait_for_job(done)
    last = fail(1, "keys")[0]
    page = lasting_dashboard.open("/ui/jobs?tag=keys")
    expect(rows(page)).to_have_count(3)
    press = page.keyboard.press

    def on(job_id: int) -> None:
        expect(row(page, job_id).locator(".id a")).to_be_focused()

    press("j")
    on(last)
    press("j")
    on(done)
    press("k")
    on(last)
    press("f")
    on(first)
    press("f")
    expect(page.locator("#told")).to_have_text("No failed job further down on this page.")
    press("Shift+F")
    on(last)
    press("x")
    expect(page.locator("#selected")).to_have_text("1 selected")
    press("x")
    press("r")
    expect(page.locator("#confirm-title")).to_have_text("Retry 1 job?")
    press("Escape")
    on(last)
    press("?")
    expect(page.locator("#help")).to_contain_text("next, previous failed job of the list")
    press("Escape")
    press("Enter")
    page.wait_for_url(f"**/ui/jobs/{last}")
    down = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"
    page.evaluate(f"for (const key of 'gj') {down}")  # within 1.5 s, also on a busy machine
    page.wait_for_url("**/ui/jobs")


def test_a_filter_is_typed_in_one_field_and_stands_in_the_address(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    failed = fail(2, "typed")
    done = system.submit("wordcount", {"text": "a needle here"}, tags=["typed"])
    system.wait_for_job(done)
    page = lasting_dashboard.open()
    page.keyboard.type("gj")
    page.wait_for_url("**/ui/jobs")
    page.locator("#connection[data-state=live]").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("tag:typed needle")
    expect(rows(page)).to_have_count(1)
    expect(row(page, done)).to_be_visible()
    expect(page).to_have_url(re.compile(r"tag=typed&q=needle$"))
    page.locator("#query").fill("tag:typed error:PermanentError since:1h")
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#ended")).to_have_value("1h")
    expect(page.locator("#when")).to_have_text("ended")
    page.locator("#query").fill("tag:typed status:lost")
    expect(page.locator("#filter-problem")).to_contain_text("There is no status lost")
    page.locator("#query").fill("tag:typed st")
    options = page.locator("#completions option").evaluate_all("all => all.map((o) => o.value)")
    assert options == ["tag:typed status:"]
    page.locator("#query").fill("tag:typed")
    page.locator("#query").blur()
    page.locator("#status").select_option("failed")
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    expect(rows(page)).to_have_count(2)
    failed_in_all = page.locator("#by-status [data-status=failed]")
    expect(failed_in_all).to_have_text(re.compile(r"^\s*[1-9][\d,]*\s+failed\s*$"))
    expect(failed_in_all.get_by_role("link")).to_have_attribute("href", "/ui/jobs?tag=typed")
    page.reload()
    expect(row(page, failed[0])).to_be_visible()
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    page.locator("#sort").select_option("ended")
    page.wait_for_url("**sort=ended**")
    page.locator("#status").select_option("pending")
    page.wait_for_url(re.compile(r"status=pending(?!.*sort)"))
    page.go_back()
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    expect(page.locator("#sort")).to_have_value("ended")
    page.locator("#clear").press("Enter")
    page.wait_for_url("**/ui/jobs")
    expect(page.locator("#clear")).to_be_hidden()
    expect(page.locator("#query")).to_be_focused()


def test_the_number_of_a_job_leads_to_it(lasting_dashboard: Dashboard) -> None:
    done = lasting_dashboard.system.submit("sum_range", {"n": 1}, tags=["numbered"])
    page = lasting_dashboard.open("/ui/jobs?tag=numbered")
    page.locator("#query").fill(f"#{done}")
    page.wait_for_url("**/ui/jobs?q=*")
    page.get_by_role("link", name=f"Open job {done}").click()
    expect(page.locator("h1")).to_have_text(f"sum_range {done}")
    page.go_back()
    page.locator("#query").fill(f"job {done}")
    expect(page.locator("#numbered")).to_be_hidden()


def test_the_language_of_the_field_is_read_and_written(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/jobs?tag=none")
    read = """async (texts) => {
        const path = `${document.documentElement.dataset.static}/js/lists/query.js`;
        const { parse, write } = await import(path);
        return texts.map((text) => {
            const { filter, problems } = parse(text);
            return [filter, problems.length, write(filter), parse(write(filter)).filter];
        });
    }"""
    place = {"error": "ValueError", "where": 'a "b".py:12 in f'}
    cases: dict[str, Any] = {
        "": {},
        "status:failed  type:x": {"status": "failed", "type": "x"},
        "some  text": {"q": "some text"},
        "http://host:80/x": {"q": "http://host:80/x"},
        'error:ValueError where:"a \\"b\\".py:12 in f"': place,
        '"status:failed" is text': {"q": "status:failed is text"},
        "late type:x text": {"type": "x", "q": "late text"},
        "queue:": {},
        "since:15m until:2026-01-31T12:00:00Z": {
            "since": "15m",
            "until": "2026-01-31T12:00:00Z",
        },
    }
    for (text, wanted), found in zip(cases.items(), page.evaluate(read, list(cases)), strict=True):
        filter, problems, _, again = found
        assert (filter, problems, again) == (wanted, 0, wanted), text
    wrong = page.evaluate(read, ["status:lost", "type:a type:b", "where:x"])
    assert [problems for _, problems, *_ in wrong] == [1, 1, 1]


def test_a_search_says_how_far_it_looked_and_goes_on(lasting_dashboard: Dashboard) -> None:
    page, calls = lasting_dashboard.page, []
    at = "2026-01-31T12:00:00.000Z"

    def answer(route: Route) -> None:
        calls.append(route.request.url)
        searched = {"jobs": 20_000, "back_to": at}
        total = {"value": 0, "relation": "gte"}
        body = {"items": [], "total": total, "searched": searched, "unknown": []}
        route.fulfill(json={**body, "next_cursor": str(len(calls))})

    # While the page looks further, however long an answer takes, time passes fast.
    page.add_init_script("""
        const now = performance.now.bind(performance);
        const isLooking = () => document.querySelector("#total")?.textContent.startsWith("looking");
        let leapt = 0;
        performance.now = () => now() + (isLooking() ? (leapt += 1000) : leapt);
    """)
    intercept(page, "**/jobs?**", answer)
    lasting_dashboard.open("/ui/jobs?q=needle")
    expect(page.locator("#total")).to_contain_text(re.compile(r"looked at [\d,]+0,000 jobs, back"))
    expect(page.locator("#older")).to_have_text("look further →")
    expect(page.locator("#no-match")).to_contain_text("Nothing found so far.")
    expect(page.locator("#older")).to_have_attribute("href", re.compile(r"cursor=\d+"))
    assert len(calls) > 1


@pytest.mark.parametrize("width", variants([1400, 360], 360))
def test_axe_finds_nothing_in_any_state(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], width: int
) -> None:
    """As it opens, tests/browser/test_every_page.py examines the wide one."""
    tag = f"axe-{width}"
    fail(3, tag)
    lasting_dashboard.page.set_viewport_size({"width": width, "height": 740})
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}&status=failed")
    expect(rows(page)).to_have_count(3)
    clean = partial(examine, page)
    clean("as it opens")
    page.get_by_label("Select every job of this page").dispatch_event("click")
    expect(rows(page, ".chosen")).to_have_count(3)
    clean("selected")
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("#confirm")).to_be_visible()
    clean("asked")
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#working').hidden = false")
    clean("at work")
    page.locator("#query").fill("status:wrong")
    expect(page.locator("#filter-problem")).to_be_visible()
    clean("a wrong filter")
    page.locator("#query").fill("tag:nothing.has.it")
    expect(page.locator("#no-match")).to_be_visible()
    clean("nothing found")


@READ_ONLY
def test_a_read_only_page_shows_the_list_without_any_action(
    page: Page, read_only_system: Any
) -> None:
    dashboard = Dashboard(page, read_only_system)
    dashboard.open("/ui/jobs?tag=listed")
    expect(page.locator("#read-only")).to_be_visible()
    assert page.locator("#selection, [data-bulk], input[type=checkbox]").count() == 0
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("next, previous job of the list")
    expect(page.locator("#help")).not_to_contain_text("retry, cancel")
    page.keyboard.press("Escape")
    store = open_store(f"sqlite:///{read_only_system.database}")  # the API changes nothing
    failing = '{"failures": 1, "permanent": true}'
    store.jobs.submit(NewJob("flaky", payload=failing, tags=("listed",)))
    store.close()
    expect(rows(page).locator("td.status")).to_contain_text("failed")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.keyboard.press("j")
    expect(rows(page).locator(".id a")).to_be_focused()
    for key in "rcx":
        page.keyboard.press(key)
    page.locator("#query").fill("tag:listed status:done")
    expect(page.locator("#no-match")).to_be_visible()
    assert "POST" not in asked and page.locator("dialog[open]").count() == 0
    assert Axe().run(page).violations_count == 0
    assert dashboard.problems == []
