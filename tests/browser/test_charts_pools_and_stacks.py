"""The panel of workers: charts that are full at once, pools at 0, programs, and folded stacks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.interception import Route, intercept
from tests.browser.kept_panel import OpenPanel, kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.layout import small_targets
from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_workers import CRASH, JOB

SCALED = {"by": "cli:ada", "reason": "night load", "at": "2020-01-31T12:00:00.000Z"}


@pytest.fixture
def own_panel(lasting_dashboard: Any) -> Panel:
    """For what holds at once when the page is opened."""
    return Panel(lasting_dashboard)


def test_cancelled_jobs_are_in_the_rate_the_sentence_and_the_bars(panel: OpenPanel) -> None:
    ended = {"done": 0, "failed": 1, "cancelled": 99}

    def cancelled(route: Route) -> None:
        stats = route.fetch().json()
        none = dict.fromkeys(ended, 0)
        by_minute = [{**none, "at": one["at"]} for one in stats["throughput"]["by_minute"]]
        by_minute[-1] |= ended
        lately = ended | {"since": by_minute[-6]["at"]}
        stats["throughput"] = {
            "ended_per_minute": 18.2,
            "last_5_min": lately,
            "last_hour": lately,
            "by_minute": by_minute,
        }
        route.fulfill(json=stats)

    panel.intercept("**/stats", cancelled)
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#per-minute")).to_have_text("18")
    spans = page.locator(".measures dt").filter(has_text=re.compile("since|p50"))
    lately = [rf"^{name} since \d\d:\d\d$" for name in ("Throughput", "Failure rate")]
    newest = [f"^{name} p50, newest jobs$" for name in ("Wait", "Run")]
    expect(spans).to_have_text([re.compile(one) for one in (*lately, *newest)])
    said = re.compile(r"100 jobs ended since \d\d:\d\d, 1 failed, 99 cancelled")
    expect(page.locator("#sentence")).to_contain_text(said)
    assert page.locator("#pulse path").evaluate_all(
        "paths => paths.slice(1).map(path => path.getBBox().height.toFixed(1))"
    ) == ["0.0", "1.5", "41.6"]


def test_no_name_of_a_figure_runs_into_the_next_one(panel: OpenPanel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator(".measures")).to_contain_text(re.compile(r"Failure rate since \d\d:\d\d"))
    too_wide = """names => names.filter(one => one.scrollWidth > one.clientWidth + 1)
        .map(one => one.textContent)"""
    for width in (360, 768, 820, 900, 1024, 1100, 1280, 1500):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".measures > div:not(.pulse) dt").evaluate_all(too_wide) == [], width
        shown = page.locator(".measures > div:not(.pulse):not(:last-child) b")
        lines = shown.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
        if width > 760:
            assert max(lines) - min(lines) < 1, width


def test_the_charts_show_the_last_minute_at_once(own_panel: Panel) -> None:
    missed = range(50, 55)
    known = [None if n in missed else n for n in range(60)]
    samples = {
        "cpu_percent": [n and n % 7 for n in known],
        "rss_bytes": [n if n is None else 50_000_000 + n for n in known],
        "jobs_done": [n if n is None else 2 * n for n in known],
        "working": [n is not None for n in known],
    }
    shown = worker("default-1", recent_exits=[], samples=samples)
    own_panel.answer("/workers?samples=true", 200, {"items": [shown], "pools": [], "programs": []})
    own_panel.open(worker("default-1"), *SYSTEM)
    row = own_panel.row("default-1")
    lines = "path => path.getAttribute('d').slice(1).split('M').map(one => one.split('L').length)"
    for cell in (".cpu-cell", ".rss-cell"):
        chart = row.locator(f"{cell} path")
        expect(chart).to_have_attribute("d", re.compile("^M0.0 "))
        before, after = chart.evaluate(lines)  # each heartbeat since has moved a second to `after`
        assert before + after == 55, "a line has a gap where nothing is known"
        assert before > after
    assert row.locator(".work-chart .rest").evaluate(lines) == [1, 1]
    expect(row.locator(".work-chart path").last).to_have_attribute("d", re.compile("^M0 "))


def test_the_rate_of_a_worker_is_that_of_the_last_seconds_at_once(own_panel: Panel) -> None:
    seconds = range(60)
    samples = {
        "cpu_percent": [3.0 for _ in seconds],
        "rss_bytes": [50_000_000 for _ in seconds],
        "jobs_done": [20 * n for n in seconds],
        "working": [True for _ in seconds],
    }
    steady = worker("default-1", jobs_done=20 * 59, recent_exits=[], samples=samples)
    own_panel.answer("/workers?samples=true", 200, {"items": [steady], "pools": [], "programs": []})
    own_panel.open(steady, *SYSTEM)
    # It has just ended: no heartbeat that the page has had tells of a rate.
    expect(own_panel.row("default-1").locator(".now")).to_have_text(
        re.compile(r"^(1\d|\d\.\d) a second$")
    )


def test_a_rate_is_not_told_before_it_is_known(panel: OpenPanel) -> None:
    """A worker's total changes once a second, and the page is opened between two changes."""
    page = panel.open(worker("default-1"), *SYSTEM)
    rates = page.evaluate(
        """async () => {
            const beside = document.querySelector("script[type=module]").src;
            const { RateMeter } = await import(new URL("rate.js", beside));
            const real = performance.now;
            let now = 0;
            performance.now = () => now;
            const meter = new RateMeter(10, 5), found = [];
            for (const [at, total] of [[0, 0], [300, 20], [1300, 40], [5300, 120], [6300, 0]]) {
                now = at;
                found.push(meter.push(total));
            }
            meter.begin?.([7, null, 47, 67, 87, 107, 127]);
            now += 1000;
            found.push(meter.push(147));
            performance.now = real;
            return found;
        }"""
    )
    assert rates == [None, None, None, pytest.approx(120 / 5.3), None, 20]


def test_a_pool_without_workers_and_a_program_can_be_scaled(panel: OpenPanel) -> None:
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
    expect(page.locator("#confirm")).to_contain_text("2 workers more will start.")
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    assert [call.request.post_data_json for call in calls] == [{"workers": 2}]
    page.get_by_label("Instances of program web").fill("0")
    page.get_by_label("Scale program web").click()
    expect(page.locator("#confirm")).to_contain_text("1 instance will end")
    page.locator("#confirm [value=no]").click()
    expect(page.get_by_label("Instances of program web")).to_have_value("1")
    panel.workers = [worker("default-1"), *SYSTEM]
    expect(forms.nth(2)).to_contain_text("0 instances")


def test_who_scales_a_pool_elsewhere_is_told_on_a_page_that_is_open(own_panel: Panel) -> None:
    pool: dict[str, Any] = {"host": "host-1", "name": "default", "workers": 2, "scaled": None}
    answer = {"items": [], "pools": [pool], "programs": []}
    calls = own_panel.answer("/workers?samples=true", 200, answer)
    page = own_panel.open(worker("default-1"), worker("default-2"), *SYSTEM)
    hint = page.locator("#pools form .hint").first
    expect(hint).to_have_text("2 workers")
    asked = len(calls)
    pool["scaled"] = SCALED
    own_panel.workers = [worker("default-1"), *SYSTEM]
    expect(hint).to_have_text(re.compile("1 worker, the configuration says 2: scaled by cli:ada"))
    assert (asked, len(calls)) == (1, 2), "not while the number stays"


def test_all_pools_are_there_at_once_so_that_none_pushes_another_from_under_the_pointer(
    own_panel: Panel,
) -> None:
    names = ("crawlers", "default", "mail")
    pools = [{"host": "host-1", "name": name, "workers": 1} for name in names]
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    intercept(own_panel.page, "**/workers?samples=true", hold)
    page = own_panel.open(worker("crawlers-1", "crawlers"), worker("mail-1", "mail"), *SYSTEM)
    forms = page.locator("#pools form")
    expect(forms).to_have_count(0)
    (route,) = asked
    drawn = "() => [...document.querySelectorAll('#pools form')].map((one) => one.dataset.pool)"
    page.evaluate(f"""() => {{
        window.drawn = new Set();
        new MutationObserver(() => drawn.add(({drawn})().join())).observe(
            document.getElementById("pools"), {{ childList: true }});
    }}""")
    route.fulfill(json={"items": [], "pools": pools, "programs": []})
    expect(forms).to_have_count(3)
    assert page.evaluate("[...window.drawn]") == ["crawlers,default,mail"]


def test_pools_are_there_even_if_the_configured_ones_cannot_be_asked_for(own_panel: Panel) -> None:
    own_panel.answer("/workers?samples=true", 503, {"title": "Busy", "status": 503})
    page = own_panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#pools form")).to_have_count(1)


def test_all_jobs_of_a_worker_that_runs_many_at_once_are_there(panel: OpenPanel) -> None:
    started = "2026-01-02T03:04:05.000Z"
    busy = worker("io-1", "io", job=JOB, jobs_in_progress=3, places=20)
    other = worker("io-2", "io", job=JOB, jobs_in_progress=1, places=20)
    jobs = [
        {"id": 20 - n, "type": "poll", "worker": who, "started_at": at, "progress": n / 4 or None}
        for n, (who, at) in enumerate(
            [("io-1", started), ("io-2", started), ("io-1", None), ("io-1", started)]
        )
    ]
    panel.answer("/jobs?status=in_progress*", 200, {"items": jobs})
    panel.open(busy, other, *SYSTEM)
    expect(panel.row("io-1").locator(".now")).to_contain_text("resize 12+ 2 more")
    expect(panel.row("io-2").locator(".now")).not_to_contain_text("more")
    fold = panel.unfold("io-1")
    expect(fold.get_by_role("heading").first).to_have_text("Runs 3 of at most 20 jobs at once")
    expect(fold.locator(".running a")).to_have_text(["poll 17", "poll 20"])
    expect(fold.locator(".running a").first).to_have_attribute("href", "/ui/jobs/17")
    expect(fold.locator(".running li").first).to_contain_text("75.0 %")
    panel.page.set_viewport_size({"width": 360, "height": 740})
    assert small_targets(panel.page) == []
    fold.locator("[data-action=drain]").click()
    expect(panel.page.locator("#confirm")).to_contain_text("It runs 3 jobs and finishes them first")


def test_the_thread_of_the_job_stands_first_and_the_others_are_folded(panel: OpenPanel) -> None:
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


def test_what_a_job_awaits_stands_first_with_its_tasks_and_the_rest_is_folded(
    panel: OpenPanel,
) -> None:
    panel.open(worker("io-1", "io", job=JOB, jobs_in_progress=2, places=20), *SYSTEM)
    awaits = "which awaits a Future (most recent call first):\n  File x"
    own = "Coroutine of job 12 (resize)"
    mine = f"{own}, {awaits}\n\n{own}, its task T, {awaits}"
    others = f"\n\nCoroutine of job 120 (resize), {awaits}\n\nCurrent thread 0x0001:\n  File b"
    stack = {"slot": "io-1", "pid": 4711, "incarnation": "one", "job": JOB, "at": CRASH["at"]}
    panel.answer("/workers/io-1/stack", 200, stack | {"stack": mine + others})
    fold = panel.unfold("io-1")
    fold.locator("[data-action=stack]").click()
    shown = fold.locator(".stack pre")
    expect(shown.first).to_have_text(mine)
    expect(fold.locator(".stack summary")).to_have_text("1 other coroutine, 1 thread")
    panel.answer("/workers/io-1/stack", 200, stack | {"stack": f"Current thread 0x0001:\n\n{mine}"})
    fold.locator("[data-action=stack]").click()
    expect(fold.locator(".stack summary")).to_have_text("2 coroutines")


def test_the_last_output_of_a_killed_process_is_shown_from_its_end(panel: OpenPanel) -> None:
    lines = "\n".join(f"line {n}" for n in range(1, 21))
    killed = CRASH | {"signal": "SIGKILL", "evidence": None, "output": lines, "failed": True}
    panel.answer("/workers", 200, {"items": [worker("default-1", recent_exits=[killed])]})
    panel.open(worker("default-1", last_exit=killed), *SYSTEM)
    exit = panel.unfold("default-1").locator(".exits > li")
    expect(exit).to_contain_text("It left no stack.")
    expect(exit).not_to_contain_text("evidence")
    exit.get_by_text("last output, 20 lines").click()
    box = exit.get_by_label("Last output")
    hidden = "box => box.scrollHeight - box.clientHeight"
    assert box.evaluate(hidden) > 0
    expect(box).to_have_js_property("scrollTop", box.evaluate(hidden))


def test_a_drained_slot_says_who_drained_it_when_and_why(panel: OpenPanel) -> None:
    drained = {"by": "cli:eve", "reason": "it leaks", "at": "2026-01-02T04:00:00.000Z"}
    slot = worker("default-1", state="down", pid=None, order="drained", drained=drained)
    panel.open(slot, *SYSTEM)
    told = re.compile("drained by cli:eve .+ ago: it leaks")
    expect(panel.row("default-1").locator(".state small")).to_have_text(told)
    expect(panel.unfold("default-1")).to_contain_text(told)
    panel.workers = [worker("default-1"), *SYSTEM]
    expect(panel.row("default-1").locator(".state small")).to_have_text("idle")


def test_how_long_a_job_is_waited_for_and_what_then_becomes_of_it_is_told(panel: OpenPanel) -> None:
    pool = {"host": "host-1", "name": "default", "workers": 2, "finishes_within_s": 325.0}
    panel.answer("/workers?samples=true", 200, {"items": [], "pools": [pool], "programs": []})
    page = panel.open(worker("default-1"), worker("default-2", job=JOB), *SYSTEM)
    expect(page.locator("#pools form")).to_have_count(1)
    after = "A job that still runs after 5 min 25 s is released, and starts again."
    for action in ("drain", "restart"):
        panel.unfold("default-2").locator(f"[data-action={action}]").click()
        expect(page.locator("#confirm")).to_contain_text(
            f"finishes it first. It takes no other job. {after}"
        )
        page.locator("#confirm [value=no]").click()
        panel.row("default-2").locator(".more button").click()
    page.get_by_label("Workers of pool default").fill("1")
    page.get_by_label("Scale pool default").click()
    expect(page.locator("#confirm")).to_contain_text(
        f"finishes its job first: default-2 runs resize 12. {after}"
    )


def test_a_worker_that_ends_says_how_much_time_its_job_has_left(panel: OpenPanel) -> None:
    """The time counts from when it began to end, whoever asked for what since."""
    pool = {"host": "host-1", "name": "default", "workers": 2, "finishes_within_s": 99_999.0}
    panel.answer("/workers?samples=true", 200, {"items": [], "pools": [pool], "programs": []})
    now = datetime.now(UTC)
    eve = {"by": "cli:eve", "reason": "it leaks", "at": rfc3339(now)}
    until = rfc3339(now + timedelta(hours=2))
    ends: dict[str, Any] = {"state": "draining", "job": JOB, "until": until}
    late = {"state": "stopping", "why": "not drained within 300 s"}
    page = panel.open(
        worker("default-1", order="drained", drained=eve, **ends),
        worker("default-2", order="replaced", restarted=eve, **ends),
        worker("default-3", order="replaced", restarted=eve, **ends | late),
        worker("default-4", reason="uses 900 MiB", **ends),
        worker("default-5", state="backoff", pid=None, reason="exit code 3", until=until),
        *SYSTEM,
    )
    left = "releases its job in [12] h.* if it still runs by then; "
    told = [
        f"{left}drained by cli:eve .+: it leaks",
        f"{left}restarted by cli:eve .+: it leaks",
        f"not drained within 300 s; {left}restarted by cli:eve .+: it leaks",
        f"{left}uses 900 MiB",
        "exit code 3; is started in [12] h.*",
    ]
    for n, text in enumerate(told, 1):
        state = panel.row(f"default-{n}").locator(".state small")
        expect(state).to_have_text(re.compile(f"^{text}$"))
    for n, then in ((1, "stops"), (2, "starts again")):
        why = panel.unfold(f"default-{n}").locator(".why")
        expect(why).to_contain_text(f"It finishes its job, takes no other, and then {then}. Why: ")
    several = {"jobs_in_progress": 3, "places": 2}
    panel.workers[0] = {**panel.workers[0], **several}
    of_first = page.locator("#more-default-1 .why")
    expect(of_first).to_contain_text("It finishes its jobs, takes no other, and then stops.")
    expect(of_first).to_contain_text("releases its jobs in")
    expect(of_first).to_contain_text("if they still run by then")
    page.locator("#more-default-1 [data-action=restart]").click()
    expect(page.locator("#confirm")).to_contain_text(
        re.compile("finishes them first.* If it still runs in [12] h.*, it is released")
    )


def rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_drained_slot_that_is_not_well_says_first_what_is_wrong(panel: OpenPanel) -> None:
    drained = {"by": "cli:eve", "reason": None, "at": "2026-01-02T04:00:00.000Z"}
    late = {"order": "drained", "why": "not drained within 30 s"}
    panel.open(worker("default-1", state="killing", **late, drained=drained), *SYSTEM)
    told = re.compile("not drained within 30 s; drained by cli:eve .+ ago$")
    expect(panel.row("default-1").locator(".state small")).to_have_text(told)
    expect(panel.unfold("default-1")).to_contain_text("Why: not drained within 30 s; drained by")


def test_with_many_workers_each_still_shows_the_progress_of_its_job_and_all_of_its_state(
    panel: OpenPanel,
) -> None:
    job = JOB | {"progress": 0.41, "message": "page 41 of 100"}
    busy = [worker(f"media-{n}", "media", job=job) for n in range(1, 17)]
    alone = worker("media-17", "media", job=job, places=4, jobs_in_progress=2, runs_alone=True)
    panel.page.set_viewport_size({"width": 1440, "height": 900})
    page = panel.open(*busy, alone, *SYSTEM)
    expect(page.locator("#slots")).to_have_class(re.compile("compact"))
    row = panel.row("media-1")
    expect(row.locator("progress")).to_be_visible()
    is_whole = "one => one.clientWidth > 0 && one.scrollWidth <= one.clientWidth"
    assert row.locator(".now a").evaluate(is_whole)
    expect(row.locator(".note")).to_have_attribute("title", "page 41 of 100")
    assert row.locator(".note").evaluate("one => one.clientWidth > 50")
    last = panel.row("media-17")
    assert last.locator(".state small").inner_text() == "runs alone, after a crash"
    for name in (".state small", ".now a"):
        assert last.locator(name).evaluate(is_whole), name
    expect(last.locator("progress")).to_be_visible()
    assert row.evaluate("one => one.offsetHeight") < 40, "one line"
