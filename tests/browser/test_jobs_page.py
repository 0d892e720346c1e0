"""The page of jobs, as an operator works: find, go through the list, go away and come back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.browser.job_list import row, rows, select_all, wait_submitted
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
    expect(page.locator("#filter-problem")).to_contain_text(
        'Unknown status "lost". Use pending, blocked'
    )
    page.locator("#query").fill("tag:typed st")
    options = page.locator("#completions option").evaluate_all("all => all.map((o) => o.value)")
    assert options == ["tag:typed status:"]
    page.locator("#query").fill("tag:typed")
    page.locator("#query").blur()
    facets = page.locator("#by-status li")
    counted = ["2 failed", "0 in progress", "0 pending", "0 blocked", "1 done", "0 cancelled"]
    expect(facets).to_have_text(counted)
    expect(facets.get_by_role("link")).to_have_text(["2 failed", "1 done"])
    page.get_by_role("link", name="2 failed").click()
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    expect(rows(page)).to_have_count(2)
    expect(facets).to_have_text(counted)
    expect(facets.first.get_by_role("link")).to_have_attribute("href", "/ui/jobs?tag=typed")
    page.reload()
    expect(row(page, failed[0])).to_be_visible()
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    page.locator("#sort").select_option("ended")
    page.wait_for_url("**sort=ended**")
    page.locator("#query").fill("status:pending tag:typed")
    page.locator("#query").press("Enter")
    page.wait_for_url(re.compile(r"status=pending(?!.*sort)"))
    page.go_back()
    expect(page.locator("#query")).to_have_value("status:failed tag:typed")
    expect(page.locator("#sort")).to_have_value("ended")
    page.locator("#clear").press("Enter")
    page.wait_for_url("**/ui/jobs")
    expect(page.locator("#clear")).to_be_hidden()
    expect(page.locator("#query")).to_be_focused()


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
        'customer=4711  payload.order.name:"A B" x': {
            "payload": 'customer=4711 order.name="A B"',
            "q": "x",
        },
        '"customer=4711"': {"q": "customer=4711"},
        "kunde:4711 a=": {"q": "kunde:4711 a="},
        "since:15m until:2026-01-31T12:00:00Z": {
            "since": "15m",
            "until": "2026-01-31T12:00:00Z",
        },
    }
    for (text, wanted), found in zip(cases.items(), page.evaluate(read, list(cases)), strict=True):
        filter, problems, _, again = found
        assert (filter, problems, again) == (wanted, 0, wanted), text
    wrong = page.evaluate(read, ["status:lost", "type:a type:b", "where:x", "since:1x"])
    assert [problems for _, problems, *_ in wrong] == [1, 1, 1, 1]


def test_times_are_read_in_the_zone_of_the_page(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/jobs?tag=none")
    read = """async ([nowMs, zone]) => {
        localStorage.setItem("orpheus.zone", zone);
        Date.now = () => nowMs;
        const path = `${document.documentElement.dataset.static}/js/base/time.js?${zone}`;
        const { momentOf } = await import(path);
        const texts = ["1h", "14:02", "23:59", "today", "yesterday", "2026-12-01",
            "2026-12-01 14:02", "2026-12-01T14:02:00Z", "lately", "2026-13-01"];
        const written = (at) => Number.isNaN(at) ? null : new Date(at).toISOString().slice(0, 16);
        return texts.map((text) => written(momentOf(text)));
    }"""
    now = datetime(2026, 12, 2, 20, 30, tzinfo=UTC).timestamp() * 1000
    assert page.evaluate(read, [now, "utc"]) == [
        "2026-12-02T19:30", "2026-12-02T14:02", "2026-12-01T23:59", "2026-12-02T00:00",
        "2026-12-01T00:00", "2026-12-01T00:00", "2026-12-01T14:02", "2026-12-01T14:02", None, None,
    ]  # fmt: skip
    page.evaluate("localStorage.removeItem('orpheus.zone')")


@pytest.mark.parametrize(
    "wrong", variants(["status:lost", "since:1x", "type:a type:b"], "since:1x")
)
def test_after_a_filter_that_cannot_be_no_job_is_shown_or_selected(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], wrong: str
) -> None:
    tag = f"cannot-be-{len(wrong)}"
    fail(60, tag)
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}&status=failed")
    expect(rows(page)).to_have_count(50)
    select_all(page)
    page.locator("#query").fill(f"tag:{tag} {wrong}")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-problem")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(0)
    expect(page.locator("#total")).to_have_text("")
    expect(page.locator("#selection")).to_be_hidden()
    expect(page.locator("#older")).to_be_hidden()
    fail(1, tag)
    expect(page.locator("#new")).to_have_text("0 new")
    page.locator("#query").fill(f"tag:{tag} status:failed")
    expect(page.locator("#total")).to_have_text("61 jobs match")
    expect(page.locator("#filter-problem")).to_be_hidden()


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_a_list_that_cannot_be_read_says_so_keeps_its_filter_and_comes_by_itself(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], how: str
) -> None:
    system = lasting_dashboard.system
    tag = f"once-{how}"
    failed = fail(2, tag)
    done = system.submit("sum_range", {"n": 1}, tags=[tag])
    system.wait_for_job(done)
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}")
    expect(rows(page)).to_have_count(3)
    broken = [True]

    def answer(route: Route) -> None:
        if not broken[0]:
            route.continue_()
        elif how == "refused":
            route.fulfill(status=503, json={"detail": "The database is busy."})
        else:
            route.abort()

    intercept(page, "**/jobs?status=failed**", answer)
    page.get_by_role("link", name="2 failed").click()
    said = "The database is busy." if how == "refused" else "Orpheus does not answer"
    expect(page.locator("#filter-problem")).to_contain_text(said)
    expect(rows(page)).to_have_count(3)
    select_all(page)
    page.get_by_role("button", name="Delete …").click()
    expect(page.locator("#confirm-title")).to_have_text("Delete 3 jobs?")
    expect(page.locator("#confirm-text")).to_contain_text(f"All jobs that match “tag:{tag}”")
    page.keyboard.press("Escape")
    broken[0] = False
    expect(rows(page)).to_have_count(2)
    expect(row(page, failed[0])).to_be_visible()
    expect(page.locator("#filter-problem")).to_be_hidden()
    expect(page.locator("#selection")).to_be_hidden()


def test_rows_change_in_place_under_the_pointer_and_new_ones_wait(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    first = wait_submitted(system, held, "follow")
    page = lasting_dashboard.open("/ui/jobs?tag=follow")
    row(page, first).hover()
    before = row(page, first).bounding_box()
    later = wait_submitted(system, held, "follow")
    expect(page.locator("#new")).to_have_text("1 new")
    expect(page.locator("#total")).to_have_text("2 jobs match")
    system.client.post(f"/jobs/{first}/cancel", json={})
    expect(row(page, first)).to_have_attribute("data-status", "cancelled")
    assert row(page, first).bounding_box() == before
    page.locator("h1").hover()
    expect(rows(page).first).to_have_attribute("data-id", str(later))
    expect(page.locator("#new")).to_be_disabled()
