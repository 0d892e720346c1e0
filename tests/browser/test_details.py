"""What an operator feels: the place, the focus, room for a finger, text that can be read."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import READ_ONLY
from tests.browser.interception import Route, intercept
from tests.browser.kept_panel import OpenPanel, kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.layout import overprints, small_targets
from tests.browser.panel import SYSTEM, worker
from tests.browser.test_workers import STATES
from tests.machine import wait_until
from tests.variants import variants

PHONE: ViewportSize = {"width": 360, "height": 740}
WIDTHS = (360, 480, 700, 768, 1000, 1001, 1240, 1480, 1920)
RULE = {
    "name": "failed",
    "on": ["job.failed"],
    "types": ["*"],
    "queues": ["*"],
    "after": 1,
    "within": None,
    "every": 300,
    "type": "webhook",
    "last_fired": "2026-01-31T12:00:00.000Z",
    "last_job": 7,
    "last_job_status": "done",
    "undelivered": None,
    "held_back": 2,
    "holding": [],
}
LATE = RULE | {"name": "late", "on": ["queue.late"], "held_back": 0}
LATE["holding"] = ["queue.late mail", "queue.late media/a b"]
AWAY = {"alerts": 1, "job": 7, "failed": True, "reason": "KeyError: 'ledger'"}
FAILED = RULE | {"name": "broken", "last_job_status": "failed", "undelivered": AWAY}


def test_no_text_of_a_troubled_panel_lies_over_another(panel: OpenPanel) -> None:
    states = [
        worker(f"default-{n}", state=state, reason=why * 2, pid=4194304, jobs_done=1_234_567)
        for n, (state, why) in enumerate(STATES.items(), 1)
    ]
    panel.answer("/alerts", 200, {"items": [RULE, LATE, FAILED]})
    page = panel.open(*states, *SYSTEM)
    expect(page.locator("#alert-rows li")).to_have_count(3)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert overprints(page) == [], width


@pytest.mark.parametrize("seconds", variants([599, 849, 35_999, 86_399, 863_999], 599, 86_399))
def test_no_long_wait_or_run_lies_over_what_is_beside_it(panel: OpenPanel, seconds: int) -> None:
    stats = panel.dashboard.system.get("/stats")
    stats |= {"oldest_pending_s": seconds, "oldest_pending_queue": "mail_" * 12}
    stats["wait_s"] = stats["run_s"] = {"p50": seconds, "p95": seconds}
    panel.answer("/stats", 200, stats)
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#oldest")).to_have_text(re.compile(r"\d (min|h|d)"))
    expect(page.locator("#oldest-note")).to_have_text(f"in {'mail_' * 12}")
    queue = page.locator("#oldest-note a")
    expect(queue).to_have_attribute("href", f"/ui/queues#queue-{'mail_' * 12}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.locator(".measures b").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().right"
            " > one.parentElement.getBoundingClientRect().right"
            " - parseFloat(getComputedStyle(one.parentElement).paddingRight))"
            ".map((one) => one.textContent)"
        )
        assert (wide, overprints(page)) == ([], []), width


@pytest.mark.parametrize(
    "queue", variants(["a", "by-status", "media/a b", "mail_" * 12], "a", "mail_" * 12)
)
def test_a_finger_finds_the_queue_of_the_oldest_due_job(panel: OpenPanel, queue: str) -> None:
    stats = panel.dashboard.system.get("/stats")
    panel.answer("/stats", 200, stats | {"oldest_pending_s": 9, "oldest_pending_queue": queue})
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#oldest-note a")).to_have_text(queue)
    page.set_viewport_size(PHONE)
    assert [small for small in small_targets(page) if "queue-" in small] == []


def test_the_link_to_the_queue_of_the_oldest_due_job_keeps_the_focus(panel: OpenPanel) -> None:
    stats = panel.dashboard.system.get("/stats")
    page = panel.page

    def tell(queue: str | None, state: str) -> None:
        """The page asks for the figures when the state of a worker changes."""
        told = {"oldest_pending_s": 60.0 if queue else None, "oldest_pending_queue": queue}
        panel.answer("/stats", 200, stats | told)
        panel.workers = [worker("default-1", state=state), *SYSTEM]

    tell("mail", "ready")
    panel.open(*panel.workers)
    link = page.locator("#oldest-note a")
    link.focus()
    tell("news", "starting")
    expect(link).to_have_text("news")
    expect(link).to_have_attribute("href", "/ui/queues#queue-news")
    expect(link).to_be_focused()
    tell(None, "ready")
    expect(page.locator("#oldest-note")).to_have_text("no job is due")
    expect(page.locator("#verdict")).to_be_focused()


def test_the_alerts_say_what_holds_and_what_was_sent_last(panel: OpenPanel) -> None:
    panel.answer("/alerts", 200, {"items": [RULE, LATE]})
    page = panel.open(worker("default-1"), *SYSTEM)
    rules = page.locator("#alert-rows li")
    expect(rules.nth(0)).to_contain_text("2 alerts of this rule held back")
    expect(rules.nth(0).locator("a")).to_have_attribute("href", "/ui/jobs/7")
    holds = rules.nth(1).locator(".bad")
    expect(holds).to_have_text(re.compile(r"^\s*mail, media/a b$"))  # what it is on stands before
    late = holds.get_by_role("link", name="media/a b")
    expect(late).to_have_attribute("href", "/ui/queues#queue-media%2Fa%20b")
    expect(page.locator("#alerts-summary")).to_have_text("2 rules, 1 with a condition that holds")
    assert Axe().run(page, "#alerts").violations_count == 0
    page.set_viewport_size(PHONE)
    assert [small for small in small_targets(page) if "/ui/" in small] == []


def test_an_alert_that_reached_nobody_is_not_told_as_sent(panel: OpenPanel) -> None:
    tried = FAILED | {"name": "tried", "last_job_status": "pending", "held_back": 0}
    tried["undelivered"] = AWAY | {"failed": False, "alerts": 3}
    waits = RULE | {"name": "waits", "last_job_status": "pending", "held_back": 0}
    refused = FAILED | {"last_job": None, "last_job_status": None, "last_fired": None}
    no_job = "no job could be made, and the log says why (alert_refused)"
    refused["undelivered"] = AWAY | {"job": None, "reason": ""}
    items = [FAILED | {"held_back": 0}, tried, waits, refused | {"name": "refused"}]
    panel.answer("/alerts", 200, {"items": items})
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#alert-rows .holds")).to_have_text(
        [
            " not delivered: KeyError: 'ledger'",
            " 3 alerts not delivered, still tried: KeyError: 'ledger'",
            "not delivered yet",
            f" not delivered: {no_job} · 2 alerts of this rule held back",
        ]
    )
    bad = page.locator("#alert-rows .holds.bad")
    expect(bad).to_have_count(3)
    sent = page.locator("#alert-rows .sent:visible")
    expect(sent).to_have_text(
        [re.compile(rf"^fired .* ago, job 7 {how}$") for how in ("failed", "pending", "pending")],
        use_inner_text=True,
    )
    expect(page.locator("#alerts-summary")).to_have_text("4 rules, 3 that reach nobody")
    assert Axe().run(page, "#alerts").violations_count == 0


def test_an_alert_that_was_sent_by_no_job_ends_with_its_time(panel: OpenPanel) -> None:
    panel.answer("/alerts", 200, {"items": [RULE | {"last_job": None}]})
    page = panel.open(worker("default-1"), *SYSTEM)
    sent = page.locator("#alert-rows .sent")
    expect(sent).to_have_text([re.compile(r"^sent .* ago$")], use_inner_text=True)


def test_on_a_phone_a_concern_stands_beside_its_sign(panel: OpenPanel) -> None:
    text = "Queue mail is paused by api:127.0.0.1 (a test), and 3 jobs wait in it."
    command = "orpheus resume mail"
    concern = {"code": "queue_paused", "text": text, "command": command, "about": None}

    def troubled(route: Any) -> None:
        stats = route.fetch().json()
        stats["verdict"] = {"headline": "Look.", "concerns": [concern]}
        route.fulfill(json=stats)

    panel.intercept("**/stats", troubled)
    panel.page.set_viewport_size({"width": 360, "height": 740})
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#concerns a")).to_have_text([text])
    icon, link, code = (
        page.locator(f"#concerns {part}").bounding_box() for part in (".icon", "a", "code")
    )
    assert icon is not None and link is not None and code is not None
    assert icon["x"] + icon["width"] <= link["x"]
    assert link["y"] <= icon["y"] < link["y"] + link["height"] / 2
    assert link["x"] - 1 <= code["x"]


def test_the_command_of_a_concern_is_not_torn(panel: OpenPanel) -> None:
    command = "orpheus resume mail"
    texts = [f"Queue mail is paused{' and so on' * n}." for n in range(4, 14)]
    concerns = [
        {"code": "queue_paused", "text": text, "command": command, "about": None} for text in texts
    ]
    stats = panel.dashboard.system.client.get("/stats").json()
    stats["verdict"] = {"headline": "10 problems need your attention.", "concerns": concerns}
    panel.answer("/stats", 200, stats)
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#more-concerns")).to_have_text("4 more")
    page.locator("#more-concerns").click()
    codes = page.locator("#concerns code")
    expect(codes).to_have_count(len(texts))
    for width in (1024, 768):
        page.set_viewport_size({"width": width, "height": 900})
        heights = codes.evaluate_all("all => all.map(code => code.getBoundingClientRect().height)")
        assert max(heights) < 1.5 * min(heights), width


def test_without_rules_there_is_no_panel_of_alerts(lasting_dashboard: Any) -> None:
    with lasting_dashboard.page.expect_response("**/alerts"):
        page = lasting_dashboard.open()
    expect(page.locator("#alerts")).to_be_hidden()


def many_jobs(dashboard: Any) -> None:
    jobs = [{"type": "sum_range", "payload": {"n": n}, "tags": ["many"]} for n in range(60)]
    ids = dashboard.system.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]
    dashboard.system.wait_for_job(ids[-1])


def top_of(page: Page, selector: str) -> float:
    return float(page.locator(selector).evaluate("node => node.getBoundingClientRect().top"))


def test_a_link_to_the_jobs_ends_at_the_jobs(lasting_dashboard: Any) -> None:
    many_jobs(lasting_dashboard)
    # Too low for the newest jobs, or they could not be at the top.
    lasting_dashboard.page.set_viewport_size({"width": 1280, "height": 400})
    page = lasting_dashboard.open("/#jobs")
    page.locator("#rows tr[data-id]").nth(9).wait_for()
    page.locator("#slots .slot .name b").first.wait_for()
    wait_until(lambda: abs(top_of(page, "#jobs")) < 20, "the jobs at the top")
    page.wait_for_timeout(1500)  # a heartbeat moves nothing
    assert abs(top_of(page, "#jobs")) < 20


def test_back_leads_to_where_one_was(lasting_dashboard: Any) -> None:
    many_jobs(lasting_dashboard)
    page = lasting_dashboard.open("/ui/jobs?tag=many")
    row = page.locator("#rows tr[data-id]").nth(45)
    row.scroll_into_view_if_needed()
    job_id, before = row.get_attribute("data-id"), page.evaluate("scrollY")
    assert before > 300
    row.locator(".id a").click()
    page.locator("#timeline .span").first.wait_for()
    page.go_back()
    again = page.locator(f"#rows tr[data-id='{job_id}']")
    again.wait_for()
    wait_until(lambda: abs(page.evaluate("scrollY") - before) < 40, "the place where one was")
    expect(again).to_be_in_viewport()


def test_a_concern_that_is_focused_keeps_the_focus_while_others_come_and_go(
    panel: OpenPanel,
) -> None:
    def concern(name: str) -> dict[str, Any]:
        about = {"kind": "queue", "name": name}
        return {"code": "queue_paused", "text": f"{name} waits", "command": None, "about": about}

    stats = panel.dashboard.system.client.get("/stats").json()
    panel.answer("/stats", 200, stats)

    def tell(*names: str) -> None:
        stats["verdict"] = {"headline": "Look.", "concerns": [concern(one) for one in names]}
        panel.workers = [worker("default-1", reason=" ".join(names)), *SYSTEM]  # asks at once

    tell("a", "b")
    page = panel.open(worker("default-1"), *SYSTEM)
    links = page.locator("#concerns a")
    expect(links).to_have_text(["a waits", "b waits"])
    links.nth(1).focus()
    tell("a", "b", "c")
    expect(links).to_have_count(3)
    expect(links.nth(1)).to_be_focused()
    tell("a")
    expect(links).to_have_count(1)
    expect(links.nth(0)).to_be_focused()


@READ_ONLY
def test_read_only_pages_offer_nothing_that_is_refused(page: Page, read_only_system: Any) -> None:
    system = read_only_system
    changes = re.compile(
        "restart|drain|start|scale|pause queue|resume|run now|retry|cancel|delete|save|apply"
        "|submit|release",
        re.IGNORECASE,
    )

    def without_file(route: Route) -> None:
        answer = route.fetch().json()
        answer["in_force"] |= {"file": None, "version": None}
        route.fulfill(json=answer)

    intercept(page, "**/config", without_file)
    no_job: dict[str, Any] = {
        "items": [],
        "next_cursor": None,
        "total": {"value": 0, "relation": "eq"},
    }
    intercept(page, "**/jobs?*", lambda route: route.fulfill(json=no_job))
    page.goto(f"{system.url}/")
    first = page.locator("#first-steps")
    expect(first).to_contain_text("api.read_only")
    expect(first.locator("li, a, button")).to_have_count(0)
    for path in (
        "",  # the same page
        "/ui/queues",
        "/ui/schedules",
        "/ui/types",
        "/ui/errors",
        "/ui/configuration",
    ):
        if path:
            page.goto(system.url + path)
        page.locator("#connection[data-state=live]").wait_for()
        if not path:
            page.locator("#slots .more button").first.click()
        offered = page.locator("button:visible").all_inner_texts()
        assert [text for text in offered if changes.search(text)] == [], path
    expect(page.locator("#in-force")).to_contain_text("In force since ")


@READ_ONLY
def test_a_read_only_page_does_not_offer_to_resume_the_queue_of_its_jobs(
    page: Page, read_only_system: Any
) -> None:
    page.goto(f"{read_only_system.url}/ui/jobs?queue=mail")
    told = page.locator("#none-starts")
    expect(told).to_contain_text("Queue mail is paused by the configuration")
    expect(told.get_by_role("link")).to_have_text("mail")
