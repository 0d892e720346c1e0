"""What holds on all pages: readable by everyone, in both schemes, on a phone."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.examine import examine

PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 720}


def paths(system: Any) -> list[str]:
    failed = system.submit("flaky", {"failures": 1, "permanent": True}, tags=["eu"])
    done = system.submit("wordcount", {"text": "a text that goes on and on " * 20})
    system.wait_for_job(failed)
    system.wait_for_job(done)
    return ["/", "/ui/jobs", f"/ui/jobs/{failed}", f"/ui/jobs/{done}", "/ui/submit?type=flaky"]


def settle(page: Any, path: str) -> None:
    """Until the page shows what it is about."""
    shown = dict.fromkeys(("/", "/ui/jobs"), "#rows tr[data-id]")
    shown["/ui/submit?type=flaky"] = "#payload-failures"
    page.locator(shown.get(path, "#timeline .span")).first.wait_for()


def test_a_phone_never_scrolls_sideways_and_axe_finds_nothing(lasting_dashboard: Any) -> None:
    for path in paths(lasting_dashboard.system):
        lasting_dashboard.page.set_viewport_size(PHONE)
        lasting_dashboard.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page = lasting_dashboard.open(path)
        settle(page, path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], path
        page.set_viewport_size(WIDE)
        examine(page)


def test_sections_lead_to_pages_that_exist(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.open()
    links = page.locator(".sections a").evaluate_all("links => links.map(a => a.href)")
    for link in links:
        assert lasting_dashboard.system.client.get(link).status_code == 200, link
    page.locator(".sections").get_by_role("link", name="Submit").click()
    expect(page.locator("h1")).to_have_text("Submit a job")
