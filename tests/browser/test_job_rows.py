"""What a row of a list of jobs says."""

import re

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import row

PHONE: ViewportSize = {"width": 360, "height": 740}


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ('{"path":"a.png","width":640}', "path=a.png width=640"),
        ('{"a":1,"b":{"c":[1,"x,y"],"d":"}"},"e":"long', 'a=1 b={"c":[1,"x,y"],"d":"}"} e="long…'),
        ('{"a":1,"b":{"c":[1,2', 'a=1 b={"c":[1,2…'),
        ('{"a":"all of \\"it\\", is cut', 'a="all of \\"it\\", is cut…'),
        ('{"a":1,"b', "a=1 …"),
        ('{"a":12345678901234567890,"b":1', "a=12345678901234567890 b=1…"),
        ("[1,2,[3", "[1,2,[3"),
        (None, ""),
    ],
)
def test_a_preview_that_was_cut_off_reads_as_a_whole_one(
    lasting_dashboard: Dashboard, json: str | None, text: str
) -> None:
    page = lasting_dashboard.open("/ui/jobs")
    code = """async (json) => {
        const own = document.querySelector("script[type=module]").src;
        return (await import(own.replace("jobs.js", "preview.js"))).preview(json);
    }"""
    assert page.evaluate(code, json) == text


def test_how_long_a_job_runs_is_seen_at_every_width(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    running = system.submit("sleep", {"seconds": 60}, tags=["runs"])
    page = lasting_dashboard.open("/ui/jobs?tag=runs")
    one = row(page, running)
    expect(one).to_have_attribute("data-status", "in_progress")
    for width in (1024, 768):
        page.set_viewport_size({"width": width, "height": 768})
        expect(one.locator(".ran")).to_have_text(re.compile(r"^\d+ s$"))
        expect(one.locator(".ran")).to_be_visible()
        status = one.locator(".status")
        assert status.evaluate("one => one.scrollWidth <= one.clientWidth"), "it is cut"
    page.set_viewport_size(PHONE)
    expect(one.locator(".ran")).to_be_visible()
    expect(one.locator(".when")).to_be_hidden()
    system.client.post(f"/jobs/{running}/cancel", json={})
    expect(one).to_have_attribute("data-status", "cancelled")
    expect(one.locator(".ran")).to_be_hidden()
    expect(one.locator(".when")).to_be_visible()


def test_what_was_cancelled_with_another_says_so(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    failing = {"failures": 1, "permanent": True}
    failed = system.submit("flaky", failing, tags=["chain"])
    waiting = system.submit("sum_range", {"n": 1}, tags=["chain"], depends_on=[failed])
    system.wait_for_job(waiting)
    page = lasting_dashboard.open("/ui/jobs?tag=chain")
    expect(row(page, waiting).locator(".detail")).to_contain_text(f"job {failed} is failed")
