"""After a change of `api.port`, each open page leads to its new address and tells no outage."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.browser.told_stream import Stream
from tests.machine import wait_until

HAS_MOVED = """() =>
    import(`${document.documentElement.dataset.static}/js/frame/moved.js`)
        .then((it) => it.movedTo())"""
MOVED = {
    "seq": 10**9,
    "at": "2026-01-31T12:00:00.000Z",
    "kind": "config.reloaded",
    "config": {"host": "h", "source": "", "why": "", "changed": ["api.port"], "restarts": ["api"]},
}


def test_a_page_that_has_moved_leads_to_its_new_address(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    stream = Stream(page)
    intercept(page, "**/config", _with_port(4711))
    lasting_dashboard.load_modules_of("jobs/jobs.js")
    lasting_dashboard.open("/ui/jobs")
    queues = page.context.new_page()
    queues.goto(lasting_dashboard.system.url + "/ui/queues")
    queues.locator("#connection[data-state=live]").wait_for()
    stream.tell(events=[MOVED])
    wait_until(lambda: page.evaluate(HAS_MOVED), "the page to know where it has moved")
    page.context.set_offline(True)
    stream.cut()
    for one, path in ((page, "/ui/jobs"), (queues, "/ui/queues")):
        banner = one.locator("#banner")
        address = f"http://127.0.0.1:4711{path}"
        expect(banner).to_contain_text(f"The page is now at {address}")
        expect(banner.locator("a:visible")).to_have_attribute("href", address)
        expect(one.locator("#banner-now")).to_be_hidden()
        expect(one.locator("#connection")).to_have_text("moved")
    page.context.set_offline(False)


def _with_port(port: int) -> Any:
    def answer(route: Route) -> None:
        told = route.fetch().json()
        for setting in told["settings"]:
            if setting["key"] == "api.port":
                setting["value"] = port
        route.fulfill(json=told)

    return answer
