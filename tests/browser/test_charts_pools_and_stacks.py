"""The panel of workers: charts that are full at once, pools at 0, programs, and folded stacks."""

import re

from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_workers import CRASH, JOB

SCALED = {"by": "cli:ada", "reason": "night load", "at": "2020-01-31T12:00:00.000Z"}


def test_the_charts_show_the_last_minute_at_once(panel: Panel) -> None:
    missed = range(50, 55)
    known = [None if n in missed else n for n in range(60)]
    samples = {
        "cpu_percent": [n and n % 7 for n in known],
        "rss_bytes": [n if n is None else 50_000_000 + n for n in known],
        "jobs_done": [n if n is None else 2 * n for n in known],
        "working": [n is not None for n in known],
    }
    shown = worker("default-1", recent_exits=[], samples=samples)
    panel.answer("/workers?samples=true", 200, {"items": [shown], "pools": [], "programs": []})
    panel.open(worker("default-1"), *SYSTEM)
    row = panel.row("default-1")
    lines = "path => path.getAttribute('d').slice(1).split('M').map(one => one.split('L').length)"
    for cell in (".cpu-cell", ".rss-cell"):
        chart = row.locator(f"{cell} path")
        expect(chart).to_have_attribute("d", re.compile("^M0.0 "))
        before, after = chart.evaluate(lines)  # each heartbeat since has moved a second to `after`
        assert before + after == 55, "a line has a gap where nothing is known"
        assert before > after
    assert row.locator(".work-chart .rest").evaluate(lines) == [1, 1]
    expect(row.locator(".work-chart path").last).to_have_attribute("d", re.compile("^M0 "))


def test_a_pool_without_workers_and_a_program_can_be_scaled(panel: Panel) -> None:
    pools = [
        {"host": "host-1", "name": "default", "workers": 1},
        {"host": "host-1", "name": "mail", "workers": 3, "scaled": SCALED},
    ]
    programs = [{"host": "host-1", "name": "web", "workers": None}]
    panel.answer("/workers?samples=true", 200, {"items": [], "pools": pools, "programs": programs})
    web = worker("web-1", "web", role="program")
    page = panel.open(worker("default-1"), web, *SYSTEM)
    forms = page.locator("#pools form")
    expect(forms).to_have_count(3)
    expect(forms.nth(0).locator(".hint").first).to_have_text("1 worker")
    told = (
        r"^0 workers, the configuration says 3: scaled by cli:ada \d+ d \d+ h ago \(night load\)$"
    )
    expect(forms.nth(1).locator(".hint").first).to_have_text(re.compile(told))
    expect(forms.nth(2).locator(".hint").first).to_have_text("1 instance")
    calls = panel.answer("/pools/mail/scale", 202, {"pool": "mail", "workers": 2})
    page.get_by_label("Workers of pool mail").fill("2")
    page.get_by_label("Scale pool mail").click()
    expect(page.locator("#confirm")).to_contain_text("It has 0 workers now.")
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    assert [call.request.post_data_json for call in calls] == [{"workers": 2}]
    page.get_by_label("Instances of program web").fill("0")
    page.get_by_label("Scale program web").click()
    expect(page.locator("#confirm")).to_contain_text("Those that go are asked to stop.")
    page.locator("#confirm [value=no]").click()
    expect(page.get_by_label("Instances of program web")).to_have_value("1")
    panel.workers = [worker("default-1"), *SYSTEM]
    expect(forms.nth(2)).to_contain_text("0 instances")


def test_the_thread_of_the_job_stands_first_and_the_others_are_folded(panel: Panel) -> None:
    panel.open(worker("default-1", job=JOB), *SYSTEM)
    mine = "Thread 0x0003 (most recent call first):\n  File x/worker/attempt/executor.py"
    others = "\n\nCurrent thread 0x0001:\n  File a\n\nThread 0x0002:\n  File b"
    stack = {"slot": "default-1", "pid": 4711, "incarnation": "one", "job": JOB, "at": CRASH["at"]}
    panel.answer("/workers/default-1/stack", 200, stack | {"stack": mine + others})
    fold = panel.unfold("default-1")
    fold.locator("[data-action=stack]").click()
    shown = fold.locator(".stack pre")
    expect(shown.first).to_have_text(mine)
    expect(shown.last).to_be_hidden()
    fold.locator(".stack summary").click()
    expect(fold.locator(".stack summary")).to_have_text("2 other threads")
    expect(shown.last).to_contain_text("File b")
