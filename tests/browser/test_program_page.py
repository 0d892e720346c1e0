"""The page of a program: what is run, when it is tried again, and its tools at each width."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.browser.layout import overprints, small_targets
from tests.browser.panel import SYSTEM, worker

PROGRAM: dict[str, Any] = {
    "name": "made-up",
    "argv": ["ssh", "-N", "-L", "2222:gateway:22", "it's here"],
    "instances": 2,
    "cwd": "/srv/tunnel",
    "env": {"KEY": "••••••••"},
    "env_file": ".env",
    "restart": "on-failure",
    "ready": {"http": None, "line": "up", "after": None},
    "alive": {"http": "http://127.0.0.1:9/", "every": "10s", "failures": 3},
    "after": ["cache"],
    "stop_signal": "INT",
    "stop_timeout": "20s",
    "log_size": "10MB",
    "log_files": 5,
    "max_memory_mb": 200,
}
COMMAND = "ssh -N -L 2222:gateway:22 'it'\\''s here'"
FACTS = [
    f"command{COMMAND}",
    "folder/srv/tunnel",
    "instances2 in the configuration",
    "environmentKEY, those of .env",
    "started againunless it ended with exit code 0",
    "readyonce it prints a line that matches up",
    "aliveasked at http://127.0.0.1:9/ every 10s; restarted after 3 failures in a row",
    "started aftercache",
    "stopped bySIGINT, and killed after 20s",
    "memoryat most 200 MiB; then it is restarted",
    "output5 files of 10MB kept",
]


def exit_ago(seconds: float) -> dict[str, Any]:
    """How a process ended so long ago."""
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    fields: dict[str, Any] = {
        "signal": None,
        "code": 255,
        "uptime_s": 1,
        "output": None,
        "out_of_memory": None,
        "jobs": [],
    }
    return {"at": at, "reason": "exit code 255", "evidence": "refused", "failed": True, **fields}


def open_made_up(dashboard: Dashboard, *, others: Any = (), **fields: Any) -> Page:
    """Open the page of a program that is made up."""
    page = dashboard.page
    own = worker("made-up-1", "made-up", role="program", recent_exits=[], **fields)
    items = [own, *SYSTEM, *others]
    settings = [{"key": "programs", "as_written": [{"name": "other"}, PROGRAM]}]
    intercept(page, "**/programs/*/logs?*", lambda route: route.fulfill(json={"items": []}))
    intercept(page, "**/workers", lambda route: route.fulfill(json={"items": items}))
    intercept(page, "**/config", lambda route: route.fulfill(json={"settings": settings}))
    dashboard.open("/ui/programs/made-up-1")
    return page


def scaled(workers: int, wanted: int, by: dict[str, Any] | None) -> dict[str, Any]:
    """How GET /workers has the program and its number."""
    number = {"workers": workers, "wanted": wanted, "finishes_within_s": 10.0, "scaled": by}
    return {"host": "host-1", "name": "made-up"} | number


BY_ROOT = {"by": "cli:root", "reason": "less please"}


GONE: list[tuple[list[dict[str, Any]], Any]] = [
    (
        [scaled(2, 1, BY_ROOT | {"at": "2001-01-01T00:00:00.000Z"})],
        re.compile("^scaled to 1 by cli:root .* ago: less please$"),
    ),
    ([scaled(1, 1, None)], "the configuration has 1 instance"),
    ([], "not in the configuration"),
]


def test_an_instance_that_does_not_run_any_more_says_why_and_which_others_do(
    lasting_dashboard: Dashboard,
) -> None:
    names = [f"made-up-{n}" for n in (1, 2, 3)]
    items = [worker(name, "made-up", role="program", recent_exits=[]) for name in names]
    pools = [scaled(1, 1, None) | {"name": "default"}]
    running = {"items": [*items, *SYSTEM], "pools": pools, "programs": [scaled(3, 3, None)]}
    answer: dict[str, Any] = dict(running)
    page = lasting_dashboard.page
    intercept(page, "**/programs/*/logs?*", lambda route: route.fulfill(json={"items": []}))
    # As the API: the pools and programs only with the samples.
    intercept(page, "**/workers", lambda route: route.fulfill(json={"items": answer["items"]}))
    intercept(page, "**/workers?samples=true", lambda route: route.fulfill(json=answer))
    lasting_dashboard.open("/ui/programs/made-up-2")
    others = page.get_by_role("list", name="Other instances").get_by_role("link")
    for programs, why in GONE:
        answer |= running
        expect(others).to_have_text(["made-up-1 ready", "made-up-3 ready"])
        answer |= {"items": [items[0], *SYSTEM], "programs": programs}
        expect(page.locator("#status b")).to_have_text("not running")
        expect(page.locator("#status .hint")).to_have_text(why)
        expect(others).to_have_text(["made-up-1 ready"])
    answer["items"] = [*SYSTEM]
    expect(others).to_have_count(0)
    answer |= {"items": [], "pools": [], "programs": [scaled(2, 0, None)]}
    expect(page.locator("#status .hint")).to_have_text("")


def test_of_several_hosts_it_does_not_tell_the_settings_of_another(
    lasting_dashboard: Dashboard,
) -> None:
    elsewhere = worker("supervisor", None, host="host-2")
    page = open_made_up(lasting_dashboard, others=[elsewhere])
    expect(page.locator("#slot")).to_be_visible()
    expect(page.locator("#settings")).to_be_hidden()


def test_a_search_that_finds_nothing_says_where_more_is(lasting_dashboard: Dashboard) -> None:
    page = open_made_up(lasting_dashboard)
    at, line = "2026-11-28T10:00:00.000Z", {"stream": "stdout", "line": "GET /item 200"}
    lines = [{"id": number, "at": at, **line} for number in (7, 8)]

    def output(route: Route) -> None:
        is_first = "after" not in route.request.url and "before" not in route.request.url
        route.fulfill(json={"items": lines if is_first else []})

    intercept(page, "**/programs/*/logs?*", output)
    page.reload()
    expect(page.locator("#log-summary")).to_have_text("2 newest lines")
    page.locator("#log-search").fill("POST")
    none, what = page.locator("#log"), "None of the 2 newest lines matches."
    older = f'{what} Press "older output" to look in what was printed before.'
    expect(none).to_have_attribute("data-none", older)
    page.locator("#log-older").click()
    expect(page.locator("#log-older")).to_have_text("no older output")
    expect(none).to_have_attribute("data-none", what)


def test_a_slot_that_was_given_up_says_when_it_is_tried_again(lasting_dashboard: Dashboard) -> None:
    ended = {"last_exit": exit_ago(30), "restarts": 16, "state": "fatal"}
    page = open_made_up(lasting_dashboard, until=exit_ago(-270)["at"], **ended)
    why = page.locator("#slot-why")
    expect(page.locator("#exits-title")).to_have_text("Exits the latest 1, newest first")
    expect(why).to_contain_text("One try is made every 5 minutes, the next in 4 min.")
    expect(page.locator("#status use")).to_have_attribute("href", "#s-fatal")
    ended |= {"role": "program", "recent_exits": [], "until": exit_ago(100)["at"]}
    items = [worker("made-up-1", "made-up", **ended), *SYSTEM]
    intercept(page, "**/workers", lambda route: route.fulfill(json={"items": items}))
    expect(why).to_contain_text("One try is made every 5 minutes. Fix the cause")


def test_it_says_what_is_run_in_whole_lines_at_each_width_and_is_grey_once_nothing_answers(
    lasting_dashboard: Dashboard,
) -> None:
    page = open_made_up(lasting_dashboard)
    runs = page.locator("#settings")
    expect(runs.locator("summary")).to_have_text(f"runs{COMMAND}")
    expect(runs.locator("dl")).to_be_hidden()
    runs.locator("summary").click()
    expect(runs.locator("dl > div")).to_have_text(FACTS)
    expect(runs.get_by_role("link")).to_have_attribute("href", "/ui/configuration")
    runs.locator("summary").click()

    search, stream = page.locator("#log-search"), page.locator("#log-stream")
    actions, log = page.locator("#slot-actions"), page.locator("#log")
    expect(page.locator("#status")).to_contain_text("pid 4711")
    for width in (360, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert abs(middle(search) - middle(stream)) < 2, width
        assert abs(right(stream) - right(log)) < 2, width
        if width > 760:
            assert abs(right(actions) - right(log)) < 2, width
            assert abs(middle(actions) - middle(page.locator("h1"))) < 6, width
            assert abs(right(page.get_by_role("button", name="Drain")) - right(log)) < 2, width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert overprints(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    state = page.locator("#status b"), page.locator("#status .hint")
    assert middle(state[1]) - middle(state[0]) > 15, "the figures are below the state"
    assert small_targets(page) == []

    head = page.locator("#program .job-head")
    expect(head).to_contain_text("ready")
    expect(head).to_have_css("filter", "none")
    stop_intercepting(page, "**/programs/*/logs?*")
    intercept(page, "**/programs/*/logs?*", lambda route: route.abort())
    intercept(page, "**/healthz", lambda route: route.abort())
    expect(head).to_have_css("filter", "grayscale(1)")


def middle(place: Locator) -> float:
    """Where a line is."""
    box = place.bounding_box()
    assert box is not None
    return box["y"] + box["height"] / 2


def right(place: Locator) -> float:
    """Where it ends."""
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"]
