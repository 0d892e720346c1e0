"""The pictures of the README and of docs/dashboard.md, made of a running system.

`PICTURES=docs/dashboard pytest --long tests/browser/test_pictures.py` makes them anew. Each shows
its page in the light scheme on the left and in the dark one on the right.
"""

import base64
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import intercept
from tests.conftest import ROOT
from tests.machine import wait_until

SIZE: ViewportSize = {"width": 1440, "height": 900}

STACK = {
    "slot": "default-1",
    "pid": 4711,
    "incarnation": "one",
    "job": {"id": 46, "type": "sleep", "started_at": None, "progress": None, "message": None},
    "stack": """Current thread 0x00007f2500217340 (most recent call first):
  File "/srv/shop/jobs/thumbnails.py", line 31 in shrink
  File "/srv/shop/jobs/thumbnails.py", line 12 in resize

Thread 0x00007f24ff7fe6c0 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait
""",
}
PAGES = {
    "overview": ("/", '#figures .value:text-matches("[1-9]")'),
    "jobs": ("/ui/jobs", "#rows tr[data-id]"),
    "queues": ("/ui/queues", "#queue-mail"),
    "schedules": ("/ui/schedules", "#schedule-nightly"),
    "types": ("/ui/types", "#type-flaky"),
    "errors": ("/ui/errors", "#rows tr td"),
    "history": ("/ui/history", "#events li"),
    "audit": ("/ui/audit", "#rows tr td"),
    "submit": ("/ui/submit?type=ship", "#payload-to"),
}
WITHOUT_FOLDER = """
folder => {
    const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (texts.nextNode())
        texts.currentNode.data = texts.currentNode.data.replaceAll(folder, "/srv/orpheus");
}
"""
"""The paths of a run of the tests are no part of a picture."""
BOTH = """
<style>
    body {{ margin: 0; }}
    img {{ position: absolute; width: 1440px; height: 900px; }}
    img + img {{ clip-path: polygon(62% 0, 100% 0, 100% 100%, 42% 100%); }}
</style>
<img src="data:image/png;base64,{light}"><img src="data:image/png;base64,{dark}">
"""


@pytest.fixture
def busy_system(lasting_system: Any) -> Any:
    """With jobs of every status, a schedule that has run, and a queue that is paused.

    And the ids of a job of a flow, and of a durable function that sleeps.
    """
    submit, call = lasting_system.submit, lasting_system.client.post
    jobs = [submit("sum_range", {"n": 1000 + n}, tags=["report"]) for n in range(30)]
    jobs += [submit("flaky", {"failures": 1, "permanent": True}) for _ in range(2)]
    jobs += [submit("wordcount", {"text": "five words are in here"}) for _ in range(10)]
    call("/queues/mail/pause", json={"reason": "the mail server moves"})
    jobs += [call("/schedules/nightly/run").json()["id"] for _ in range(4)]
    waiting = [submit("wordcount", {"text": "good night"}, queue="mail") for _ in range(3)]
    for job in jobs:
        lasting_system.wait_for_job(job)
    function = a_function(lasting_system)
    job_page = a_flow(lasting_system)
    after = {"depends_on": [job_page], "on_dependency_failure": "run"}
    running = [submit("sleep", {"seconds": 300}, **after) for _ in range(2)]
    running.append(submit("wordcount", {"text": "the end"}, depends_on=running))
    yield lasting_system, job_page, function
    for job in (function, *running, *waiting):
        call(f"/jobs/{job}/cancel", json={})
    call("/queues/mail/resume", json={})
    for job in running:
        lasting_system.wait_for_job(job)


def a_function(system: Any) -> int:
    """Make a durable function that has got its signal, and sleeps; its id."""
    job_id: int = system.submit("onboard", {"account": 4711, "mailbox": "/srv/mailbox"})
    signal = {"name": "approval", "key": "4711", "payload": {"by": "ada"}}
    system.client.post("/signals", json=signal)

    def sleeps() -> bool:
        reasons = system.client.get(f"/jobs/{job_id}/why").json()["reasons"]
        return bool(reasons and reasons[0]["code"] == "sleep")

    wait_until(sleeps, "the function to sleep")
    return job_id


def a_flow(system: Any) -> int:
    """Make a job that depends on others, fails, is retried and fails again; its id."""
    first = system.submit("sum_range", {"n": 7})
    parts = [system.submit("step", depends_on=[first]) for _ in range(3)]
    payload = {"pages": 40, "paper": 9}
    job_id: int = system.submit("publish", payload, depends_on=parts, tags=["report"])
    system.wait_for_job(job_id)
    system.client.post(f"/jobs/{job_id}/retry", json={"reason": "the printer has paper again"})
    system.wait_for_job(job_id)
    for _ in range(2):
        system.submit("wordcount", {"text": "it is out"}, depends_on=[job_id])
    return job_id


def fill_in(page: Page) -> None:
    """Fill in the form of a job, with a list that is not valid."""
    page.locator("#example").click()
    page.locator("#payload-speed").select_option("fast")
    page.locator("#payload-parcels").fill("[{")
    page.locator("#send").click()
    page.locator("#payload-parcels-problem").wait_for()
    page.evaluate("scrollTo(0, 0)")


PREPARED = {"submit": fill_in}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def an_hour() -> dict[str, Any]:
    """Figures of an hour: mail in waves, and five minutes in which many jobs failed."""
    since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=60)
    points = []
    for minute in range(60):
        came = round(220 + 120 * math.sin(minute / 9) + 31 * math.sin(minute * 2.3))
        failed = came // 2 if 31 <= minute < 36 else minute % 7 // 5
        points.append(
            {
                "at": (since + timedelta(minutes=minute)).isoformat(),
                "submitted": came,
                "done": came - failed,
                "failed": failed,
                "cancelled": 0,
                "retried": failed * 3,
                "wait_p50_s": came / 900,
                "wait_p95_s": came / 300 + failed / 60,
                "run_p50_s": 0.4,
                "run_p95_s": 0.9 + failed / 50,
                "worker_s": came * 0.45,
            }
        )
    return {"by": "queue", "step_s": 60, "items": [{"name": "mail", "points": points}]}


def picture(page: Page, both: Page, path: Path) -> None:
    """Save a picture of a page, in the light and in the dark scheme."""
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        seen[scheme] = base64.b64encode(page.screenshot()).decode()
    both.set_content(BOTH.format(**seen))
    both.screenshot(path=path)


@pytest.mark.long
def test_each_page_has_a_picture(lasting_dashboard: Any, busy_system: Any, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    page = lasting_dashboard.page
    page.set_viewport_size(SIZE)
    both = page.context.new_page()
    both.set_viewport_size(SIZE)
    _, job_page, function = busy_system
    intercept(page, "**/stats/history?since=**", lambda route: route.fulfill(json=an_hour()))
    own = {
        "job": (f"/ui/jobs/{job_page}", "#graph .node[data-status=in_progress]"),
        "durable": (f"/ui/jobs/{function}", "#timeline [data-kind=sleep]"),
    }
    for name, (path, shown) in (PAGES | own).items():
        lasting_dashboard.open(path)
        page.locator(shown).first.wait_for()
        page.evaluate(WITHOUT_FOLDER, str(ROOT))
        PREPARED.get(name, lambda _: None)(page)
        picture(page, both, folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 20_000, "it shows something"
    intercept(page, "**/stack", lambda route: route.fulfill(json=STACK | {"at": _now()}))
    lasting_dashboard.open("/#workers")
    page.locator("#slots .more").first.click()
    page.locator("#slots [data-action=stack]").first.click()
    page.locator("#slots .stack pre").first.wait_for()
    page.locator("#workers").evaluate("panel => panel.scrollIntoView()")
    picture(page, both, folder / "workers.png")
    assert (folder / "workers.png").stat().st_size > 20_000


@pytest.mark.long
def test_the_page_of_the_configuration_has_a_picture(
    page: Page, start_system: Callable[..., Any], tmp_path: Path
) -> None:
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    file = tmp_path / "orpheus.toml"
    text = "[pools.default]\nworkers = {} # one for each core\n\n[queues.mail]\nrate = '10/s'\n"
    file.write_text(text.format(1))
    dashboard = Dashboard(page, start_system(config=file))
    page.set_viewport_size(SIZE)
    dashboard.open("/ui/configuration")
    page.locator("#version-1").wait_for()
    page.locator("#text").fill(text.format(2))
    page.locator("#reason").fill("a busy week")
    page.locator("#save:enabled").click()
    expect(page.locator("#became")).to_contain_text("In force.")
    page.locator("#version-1-back").click()
    page.locator("#save:enabled").wait_for()
    page.evaluate(WITHOUT_FOLDER, str(tmp_path))
    both = page.context.new_page()
    both.set_viewport_size(SIZE)
    picture(page, both, folder / "configuration.png")
    assert (folder / "configuration.png").stat().st_size > 20_000, "it shows something"
    assert dashboard.problems == []
