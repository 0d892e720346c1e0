"""Three hosts and one dashboard: a host is unplugged, and another runs its jobs.

`PICTURES=docs/many-hosts pytest tests/browser/test_host_unplugged.py` makes the pictures of
docs/many-hosts.md anew.
"""

import os
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.machine import slowness
from tests.many_hosts.conftest import (  # noqa: F401 - fixtures
    StartHosts,
    new_proxy,
    server_folder,
    shared_server,
    start_hosts,
)
from tests.many_hosts.database_server import DatabaseServer

NAMES = ("ada", "bob", "eve")


def test_the_jobs_of_a_host_that_is_unplugged_run_elsewhere_and_it_is_shown_as_lost(
    page: Page,
    shared_server: DatabaseServer,  # noqa: F811 - a fixture
    start_hosts: StartHosts,  # noqa: F811
    tmp_path: Path,
) -> None:
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    ada, bob, eve = start_hosts({name: shared_server.url() for name in NAMES})
    for host in (ada, bob, eve):
        host.until_ready()
    page.set_viewport_size({"width": 1280, "height": 900})
    dashboard = Dashboard(page, ada)
    dashboard.open()
    hosts = page.locator("#slots > .host")
    expect(hosts).to_have_text([re.compile(f"^{name}") for name in NAMES])
    # The first attempt of each is to run still when eve is killed; another one takes no time.
    asked = {"seconds": min(30, round(8 * slowness())), "failures": 1}
    jobs = [ada.submit("sleep_deaf", **asked) for _ in NAMES]
    expect(page.locator("#slots > .slot").get_by_text(re.compile(r"asked"))).to_have_count(3)
    page.screenshot(path=pictures / "1-three-hosts.png")

    eve.kill_everything()
    lost = page.locator("#slots").get_by_text(re.compile("lost: nothing was heard of"))
    expect(lost.first).to_be_visible()
    page.screenshot(path=pictures / "2-one-is-unplugged.png")

    ended = [ada.until_ended(job_id) for job_id in jobs]
    assert [job["status"] for job in ended] == ["done"] * 3
    [moved] = [job["id"] for job in ended if len(job["attempts"]) == 2]
    dashboard.open(f"/ui/jobs/{moved}")
    expect(page.locator("main")).to_contain_text("lost")
    page.screenshot(path=pictures / "3-its-job-ran-elsewhere.png")

    eve.start()
    eve.until_ready()
    dashboard.open()
    expect(hosts).to_have_count(3)
    expect(lost).to_have_count(0)
    page.screenshot(path=pictures / "4-it-is-back.png")
    assert dashboard.problems == []
