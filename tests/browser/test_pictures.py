"""The pictures of the README and of docs/dashboard.md, made of a running system.

`PICTURES=docs/dashboard pytest tests/browser/test_pictures.py` makes them anew. Each shows its page
in the light scheme on the left and in the dark one on the right.
"""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

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
SIZE = {"width": 1440, "height": 900}
PAGES = {
    "overview": ("/", "#slots progress"),
    "queues": ("/ui/queues", "#queue-mail"),
    "schedules": ("/ui/schedules", "#schedule-nightly"),
    "types": ("/ui/types", "#type-flaky"),
    "errors": ("/ui/errors", "#rows tr td"),
    "audit": ("/ui/audit", "#rows tr td"),
}
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
    """With jobs that are done, failed, waiting and running, and a queue that is paused."""
    submit, call = lasting_system.submit, lasting_system.client.post
    jobs = [submit("sum_range", {"n": 1000 + n}, tags=["report"]) for n in range(30)]
    jobs += [submit("flaky", {"failures": 1, "permanent": True}) for _ in range(2)]
    jobs += [submit("wordcount", {"text": "five words are in here"}) for _ in range(10)]
    call("/queues/mail/pause", json={"reason": "the mail server moves"})
    waiting = [submit("wordcount", {"text": "good night"}, queue="mail") for _ in range(3)]
    for job in jobs:
        lasting_system.wait_for_job(job)
    running = [submit("sleep", {"seconds": 120}) for _ in range(2)]
    yield lasting_system
    for job in (*running, *waiting):
        call(f"/jobs/{job}/cancel", json={})
    call("/queues/mail/resume", json={})
    for job in running:
        lasting_system.wait_for_job(job)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def picture(page: Page, both: Page, path: Path) -> None:
    """Save a picture of a page, in the light and in the dark scheme."""
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        seen[scheme] = base64.b64encode(page.screenshot()).decode()
    both.set_content(BOTH.format(**seen))
    both.screenshot(path=path)


def test_each_page_has_a_picture(lasting_dashboard: Any, busy_system: Any, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    page = lasting_dashboard.page
    page.set_viewport_size(SIZE)
    both = page.context.new_page()
    both.set_viewport_size(SIZE)
    for name, (path, shown) in PAGES.items():
        lasting_dashboard.open(path)
        page.locator(shown).first.wait_for()
        picture(page, both, folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 20_000, "it shows something"
    page.route("**/stack", lambda route: route.fulfill(json=STACK | {"at": _now()}))
    lasting_dashboard.open("/#workers")
    page.locator("#slots .more button").first.click()
    page.locator("#slots [data-action=stack]").first.click()
    page.locator("#slots .stack pre").first.wait_for()
    page.locator("#workers").evaluate("panel => panel.scrollIntoView()")
    picture(page, both, folder / "workers.png")
    assert (folder / "workers.png").stat().st_size > 20_000
