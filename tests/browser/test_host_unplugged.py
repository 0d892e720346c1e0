"""Several hosts and one dashboard: a host is unplugged, and another runs its jobs.

The usual run shows that the API tells of it (tests/contract/test_leader.py), and how the
page looks then (tests/browser/test_workers.py).

`PICTURES=docs/many-hosts pytest --long tests/browser/test_host_unplugged.py` makes the pictures of
docs/many-hosts.md anew, of three hosts.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.machine import slowness
from tests.many_hosts.conftest import (  # noqa: F401 - fixtures
    StartHosts,
    empty_cluster,
    new_proxy,
    server_folder,
    shared_server,
    start_hosts,
)
from tests.many_hosts.database_server import DatabaseServer


@pytest.mark.long
def test_the_jobs_of_a_host_that_is_unplugged_run_elsewhere_and_it_is_shown_as_lost(
    page: Page,
    shared_server: DatabaseServer,  # noqa: F811 - a fixture
    start_hosts: StartHosts,  # noqa: F811
    tmp_path: Path,
) -> None:
    names = ("ada", "bob", "eve")
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    hosts_now = start_hosts({name: shared_server.url() for name in names})
    ada, eve = hosts_now[0], hosts_now[-1]
    for host in hosts_now:
        host.until_ready()
    page.set_viewport_size({"width": 1280, "height": 900})
    dashboard = Dashboard(page, ada)
    dashboard.open()
    hosts = page.locator("#slots .pool[data-pool=Orpheus] h3 small")
    expect(hosts).to_have_text([f"on {name}" for name in names])
    # The first attempt of each is to run still when eve is killed; another one takes no time.
    asked = {"seconds": min(30, round(8 * slowness())), "failures": 1}
    jobs = [ada.submit("sleep_deaf", **asked) for _ in names]
    expect(page.locator("#slots .slot .now a")).to_have_count(len(names))
    page.screenshot(path=pictures / "1-three-hosts.png")

    eve.kill_everything()
    lost = page.locator("#slots").get_by_text(re.compile("lost: nothing was heard of"))
    expect(lost.first).to_be_visible()
    page.screenshot(path=pictures / "2-one-is-unplugged.png")

    ended = [ada.until_ended(job_id) for job_id in jobs]
    assert [job["status"] for job in ended] == ["done"] * len(names)
    [moved] = [job["id"] for job in ended if len(job["attempts"]) == 2]
    dashboard.open(f"/ui/jobs/{moved}")
    expect(page.locator("main")).to_contain_text("lost")
    page.screenshot(path=pictures / "3-its-job-ran-elsewhere.png")

    eve.start()
    eve.until_ready()
    dashboard.open()
    expect(hosts).to_have_count(len(names))
    expect(lost).to_have_count(0)
    page.screenshot(path=pictures / "4-it-is-back.png")
    assert dashboard.problems == []
