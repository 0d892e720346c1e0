"""The page of the queues, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.interception import intercept
from tests.browser.kept_queues import (  # noqa: F401 - fixtures
    MadeUpQueues,
    kept_queues,
    lent_queues,
)


def row(dashboard: Dashboard, queue: str) -> Any:
    return dashboard.page.locator(f"#queue-{queue}")


def test_a_queue_is_paused_with_a_reason_and_resumed(lasting_dashboard: Dashboard) -> None:
    page, system = lasting_dashboard.page, lasting_dashboard.system
    system.client.post("/queues/mine/pause")
    system.submit("sum_range", {"n": 1}, queue="mine")
    system.client.post("/queues/mine/resume")
    lasting_dashboard.open("/ui/queues")
    mine = row(lasting_dashboard, "mine")  # no other test has jobs in it
    expect(mine.locator("[data-status=done]")).to_have_text("1done")
    pause = page.get_by_label("Pause mine", exact=True)
    pause.click()
    expect(page.locator("#confirm-reason")).to_be_focused()
    page.keyboard.type("the server's disk is full")
    expect(page.locator("#confirm-curl")).to_contain_text("disk is full")
    page.keyboard.press("Enter")
    expect(mine.locator(".paused")).to_have_text(
        re.compile(r"^paused by api:127\.0\.0\.1 .*: the server's disk is full$")
    )
    resume = page.get_by_label("Resume mine", exact=True)
    expect(resume).to_be_focused()
    for width in (1280, 800, 360):  # the reason has the whole width of the row
        page.set_viewport_size({"width": width, "height": 740})
        reason, whole = mine.locator(".paused").bounding_box(), mine.bounding_box()
        assert reason["width"] > 0.99 * whole["width"], width

    system.submit("sum_range", {"n": 1}, queue="mine")
    expect(mine.locator("[data-status=pending]")).to_have_text("1pending")
    expect(mine.locator(".oldest")).to_have_text(re.compile(r"^\d+ s$"))
    expect(mine.locator(".backlog")).to_have_text("paused")
    resume.click()
    page.locator("#confirm-yes").click()
    expect(mine.locator(".paused")).to_be_hidden()
    expect(mine.locator("[data-status=done]")).to_have_text("2done")
    expect(mine.locator(".backlog")).to_have_text("empty")
    assert lasting_dashboard.never_reloaded()


def test_a_queue_that_was_resumed_though_the_configuration_pauses_it_says_by_whom(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    by = {"by": "cli:ada", "at": "2026-01-31T12:00:00.000Z", "reason": "the server is back"}
    one |= {"name": "lent", "pause": None, "resumed": by}
    made_up.show(one)
    told = r"^resumed by cli:ada .* ago: the server is back; the configuration pauses it$"
    expect(made_up.row("lent").locator(".paused")).to_have_text(re.compile(told))


def test_a_queue_shows_its_pace_its_limits_and_who_serves_it(lasting_dashboard: Dashboard) -> None:
    for _ in range(3):
        lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="limited")
    lasting_dashboard.open("/ui/queues")
    limited = row(lasting_dashboard, "limited")
    expect(limited.locator("[data-status=done]")).to_have_text("3done")
    expect(limited.locator(".flow")).to_have_text(re.compile(r"^in [123].*out [123]"))
    expect(limited.locator(".limits")).to_contain_text("0 of 4 running")
    expect(limited.locator(".limits")).to_contain_text("starts 100/s")
    expect(limited.locator(".pools")).to_have_text("default: 2 of 2 ready")
    head = lasting_dashboard.page.locator("th.flow")
    expect(head).to_have_text("/min lately")  # `orpheus queues` counts those of five


QUIET = "no estimate: none has ended for over 2 min"
UNKNOWN = "no estimate: which workers serve it is not known"


def test_whether_a_backlog_grows_and_when_it_is_gone_is_told_in_words(
    made_up: MadeUpQueues,
) -> None:
    long = {"seconds": 90, "with_more": [{"more_workers": 1, "seconds": 60}]}
    short = {"seconds": 0.4, "with_more": [{"more_workers": 1, "seconds": 0.249}]}
    limited = {"seconds": 55, "with_more": []}
    if_none = "empty in about 1 min 30 s if no more come"
    cases: dict[str, tuple[tuple[float | None, float, object], list[str]]] = {
        "burst": ((290, 10, short), ["empty in a few seconds"]),
        "growing": ((12.4, 0.4, long), ["grows by 12 a minute", if_none]),
        "shrinking": ((-4, 5, long), ["shrinks by 4 a minute", if_none]),
        "even": ((0, 104, long), ["steady", if_none]),
        "ending": ((None, 5, long), ["empty in about 1 min 30 s"]),
        "limited": ((None, 1200, limited), ["empty in about 55 s"]),
        "stuck": ((3, 0, None), ["grows by 3 a minute", QUIET]),
        "still": ((None, 9, None), [QUIET]),
        "keyed": ((None, 9, None), ["no estimate: its rate is per key"]),
        "early": ((None, 9, None), ["no estimate yet"]),
        "last": ((0, 9, None), ["steady", "none waits for a worker, 3 are running"]),
        "starving": ((None, 9, None), ["its workers run other jobs"]),
        "broken": ((None, 9, None), ["no worker is ready"]),
        "filled": ((7, 9, None), ["no worker is ready", "grows by 7 a minute"]),
        "elsewhere": ((7, 9, None), ["grows by 7 a minute", UNKNOWN]),
    }
    no_estimate = {name: told[-1] for name, (_, told) in cases.items()}
    none_starts = {
        "starving": "its workers run other jobs",
        "broken": "no worker is ready",
        "filled": "no worker is ready",
    }
    one = some_queue()
    one["counts"]["pending"] = one["due"] = 3
    ready = [{"name": "default", "workers": 2, "ready": 2, "free": 1}]
    queues = [
        {
            **one,
            "name": name,
            "grows_per_minute": grows,
            "ended_per_minute": out,
            "drain": drain,
            "none_starts": none_starts.get(name),
            "no_estimate": None if drain or name in none_starts else no_estimate[name],
            "done_per_minute": out,
            "pools": [] if name == "elsewhere" else ready,
        }
        for name, ((grows, out, drain), _) in cases.items()
    ]
    made_up.show(*queues)
    for name, ((_, _, drain), told) in cases.items():
        faster = ["with 1 more worker 1 min 00 s"] if drain is long else []
        lines = made_up.row(name).locator(".backlog div div")
        expect(lines).to_have_text([*told, *faster])


def test_a_queue_without_a_ready_worker_says_why_below_its_row_and_leads_to_its_pools(
    lasting_dashboard: Dashboard,
) -> None:
    one = some_queue()
    one |= {"name": "films", "due": 3, "counts": {**one["counts"], "pending": 3}}
    away = f"pool gpu is scaled to 0 by cli:ada 5 min ago ({'because ' * 40})"
    one |= {"none_starts": "no worker is ready", "unready": away, "grows_per_minute": None}
    pool = {"workers": 0, "ready": 0, "free": 0}
    one["pools"] = [{**pool, "name": "gpu"}, {**pool, "name": "default"}]
    page = lasting_dashboard.page
    intercept(page, "**/queues", lambda route: route.fulfill(json={"items": [one]}))
    lasting_dashboard.open("/ui/queues")
    films = row(lasting_dashboard, "films")
    expect(films.locator(".backlog div div")).to_have_text("no worker is ready")
    expect(films.locator(".paused")).to_have_text(away)
    for width in (1440, 1100, 800, 360):
        page.set_viewport_size({"width": width, "height": 740})
        reason, whole = films.locator(".paused").bounding_box(), films.bounding_box()
        assert reason["width"] > 0.99 * whole["width"], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(films.locator(".pools")).to_contain_text("gpu: 0 of 0 ready")
    films.get_by_role("link", name="default").click()
    expect(page.locator("#pool-default")).to_be_in_viewport()


def test_a_queue_that_a_limit_holds_says_which_and_when_the_next_job_may_start(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    one |= {"counts": {**one["counts"], "pending": 9, "in_progress": 1}, "due": 9}
    one |= {"ended_per_minute": 3, "done_per_minute": 3}
    drain = {"seconds": 130, "with_more": []}
    by_rate = {"by": ["queue_rate"], "text": "held by its rate", "next_s": 24.6}
    by_number = {"by": ["queue_limit"], "text": "held by its max_running", "next_s": None}
    soon = "held by its rate, the next may start in 24 s"
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"limited": by_rate}, [soon]),
        ({"limited": by_rate, "drain": drain}, [soon, "empty in about 2 min 10 s"]),
        (
            {"limited": by_number, "grows_per_minute": 3},
            ["held by its max_running", "grows by 3 a minute"],
        ),
        ({"limited": None, "no_estimate": QUIET}, [QUIET]),
        (
            {"limited": None, "slowed": "its workers run mostly other jobs", "drain": drain},
            ["its workers run mostly other jobs", "empty in about 2 min 10 s"],
        ),
    ]
    queues = [{**one, "name": f"q{n}", **its} for n, (its, _) in enumerate(cases)]
    made_up.show(*queues)
    for n, (_, lines) in enumerate(cases):
        expect(made_up.row(f"q{n}").locator(".backlog div div")).to_have_text(lines)


def test_a_queue_of_which_all_jobs_are_blocked_is_not_empty(made_up: MadeUpQueues) -> None:
    one = some_queue()
    one["counts"]["blocked"] = 4
    unready = [{"name": "default", "workers": 2, "ready": 0}]
    queues = [{**one, "name": name, "pools": its} for name, its in (("a", []), ("b", unready))]
    made_up.show(*queues)
    for name in ("a", "b"):
        expect(made_up.row(name).locator(".backlog div div")).to_have_text("4 blocked")
    expect(made_up.row("a").locator(".pools .bad")).to_have_text("no pool")
    expect(made_up.row("b").locator(".pools .bad")).to_have_count(0)


def test_jobs_that_none_takes_now_are_no_backlog_that_workers_would_shorten(
    made_up: MadeUpQueues,
) -> None:
    system = made_up.dashboard.system
    ids = [
        system.submit("sum_range", {"n": 1}, queue="later", delay=hours * 3600 + 30)
        for hours in (30, 2)
    ]
    (one,) = (queue for queue in system.get("/queues")["items"] if queue["name"] == "later")
    for id in ids:  # none is left for other tests
        system.client.post(f"/jobs/{id}/cancel")
    unserved = {**one, "name": "unserved", "pools": [], "none_starts": "no pool serves it"}
    unknown = {**one, "name": "unknown", "next_due_s": None}
    runs = {**one, "name": "runs", "counts": {**one["counts"], "in_progress": 1}}
    some = {**one, "name": "some", "due": 3, "counts": {**one["counts"], "pending": 5}}
    drain = {"seconds": 90, "with_more": []}
    for queue in (runs, some):
        queue |= {"drain": drain, "grows_per_minute": None}
    queues = [one, unserved, unknown, runs, some]
    made_up.show(*queues)
    lines = made_up.row("later").locator(".backlog div div")
    expect(lines).to_have_text(["none is due now", "the next in 2 h 00 min"])
    lines = made_up.row("unserved").locator(".backlog div div")
    expect(lines).to_have_text(["no pool serves it", "the next is due in 2 h 00 min"])
    expect(made_up.row("unknown").locator(".backlog")).to_have_text("")
    lines = made_up.row("runs").locator(".backlog div div")
    expect(lines).to_have_text(["none is due now", "the next in 2 h 00 min"])
    lines = made_up.row("some").locator(".backlog div div")
    later = "2 are due later, the next in 2 h 00 min"
    expect(lines).to_have_text(["those due done in about 1 min 30 s", later])


RESIZE = {"type": "resize", "jobs": 4, "relation": "eq", "oldest_s": 47_430}
ADD = {"type": "sum", "jobs": 1, "relation": "eq", "oldest_s": 18_030}
MANY = {**RESIZE, "jobs": 1_000, "relation": "gte"}
SOON = {"due": 5, "oldest_pending_s": 3_630, "drain": {"seconds": 5, "with_more": []}}
LATER = {"due": 5, "oldest_pending_s": 3_630, "drain": {"seconds": 90, "with_more": []}}
TOLD = "4 held back: their type resize is quarantined"
HELD_BACK: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "held": (
        {"held_back": [RESIZE, ADD]},
        [TOLD, "1 held back: its type sum is quarantined"],
        "held back 13 h 10 min",
    ),
    "many": (
        {"held_back": [MANY]},
        ["at least 1,000 held back: their type resize is quarantined"],
        "held back 13 h 10 min",
    ),
    "later": (
        {"held_back": [RESIZE], "next_due_s": 7_230},
        ["none can start now", "the next in 2 h 00 min", TOLD],
        "held back 13 h 10 min",
    ),
    "soon": (
        {"held_back": [RESIZE], **SOON},
        ["the others done in a few seconds", TOLD],
        "1 h 00 minheld back 13 h 10 min",
    ),
    "busy": (
        {"held_back": [RESIZE], **LATER},
        ["the others done in about 1 min 30 s", TOLD],
        "1 h 00 minheld back 13 h 10 min",
    ),
}
"""What is told of a queue with these properties, and in "oldest due"."""


def test_a_queue_says_how_many_jobs_a_quarantine_holds_back_and_for_how_long(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    one["counts"]["pending"] = 9
    queues = [{**one, "name": name, **its} for name, (its, _, _) in HELD_BACK.items()]
    made_up.show(*queues)
    made_up.page.set_viewport_size({"width": 1440, "height": 900})
    for name, (_, lines, oldest) in HELD_BACK.items():
        shown = made_up.row(name)
        expect(shown.locator(".backlog div div")).to_have_text(lines)
        expect(shown.locator(".oldest")).to_contain_text("held back")
        seen = "".join(shown.locator(".oldest > :not([hidden])").all_inner_texts())
        assert seen.replace("\xa0", " ") == oldest, name
        fits = "one => one.scrollWidth <= one.clientWidth"
        assert shown.locator(".oldest").evaluate(fits), name
    link = made_up.row("busy").locator(".backlog a")
    expect(link).to_have_attribute("href", "/ui/types#type-resize")


def test_the_age_of_the_oldest_due_job_stands_still_while_nothing_is_heard(
    lasting_dashboard: Dashboard,
) -> None:
    one = some_queue() | {"name": "aged", "oldest_pending_s": 5}
    page = lasting_dashboard.page
    intercept(page, "**/queues", lambda route: route.fulfill(json={"items": [one]}))
    lasting_dashboard.open("/ui/queues")
    expect(row(lasting_dashboard, "aged").locator(".oldest")).to_have_text(re.compile(r"\d s"))
    for path in ("**/queues", "**/healthz"):
        intercept(page, path, lambda route: route.abort())
    expect(page.locator("html.lost")).to_have_count(1)
    age = row(lasting_dashboard, "aged").locator(".oldest").inner_text()
    expect(page.locator("#banner-what")).to_have_text(re.compile(r"for ([3-9]|\d\d) s"))
    expect(row(lasting_dashboard, "aged").locator(".oldest")).to_have_text(age)


def test_a_number_leads_to_its_jobs(lasting_dashboard: Dashboard) -> None:
    job = lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="linked")
    lasting_dashboard.system.wait_for_job(job)
    page = lasting_dashboard.open("/ui/queues")
    row(lasting_dashboard, "linked").locator("[data-status=done]").click()
    expect(page.locator("#rows tr[data-id]")).to_have_count(1)
    assert page.url.endswith("/ui/jobs?queue=linked&status=done")


def test_a_refused_action_says_why_in_its_dialog(lasting_dashboard: Dashboard) -> None:
    lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="refused")
    page = lasting_dashboard.open("/ui/queues")
    problem = {"title": "Full", "status": 507, "detail": "The disk is full."}
    intercept(page, "**/pause", lambda route: route.fulfill(status=507, json=problem))
    page.get_by_label("Pause refused", exact=True).click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_have_text("The disk is full.")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Pause refused", exact=True)).to_be_focused()
