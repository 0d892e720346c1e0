"""Text that somebody wrote to become code: on every page it is text, and nothing more."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

PAYLOADS = {
    "script": "<script>window.owned=1</script>",
    "image": "<img src=x onerror=window.owned=1>",
    "vector": "<svg onload=window.owned=1><animate onbegin=window.owned=1>",
    "attribute": "\" autofocus onfocus=window.owned=1 x='",
    "closing": "</pre></textarea></title></script><script>window.owned=1</script>",
    "address": "javascript:window.owned=1",
    "frame": "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
    "template": "{{ 7919*7907 }}${window.owned=1}{% raw %}",
    "style": "<style>body{display:none}</style><link rel=stylesheet href=//evil.example>",
    "form": "<form action=//evil.example><button autofocus>go</button></form>",
    "base": "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example'>",
}
SOME = ("attribute", "template", "image", "closing")
"""One for each way into a page: in an attribute, as a template, as an element, and out of an
element. The others are elements, as `image` is; an address must be alone. What leaves an attribute
stands where it begins, and `template` where no row of a list has cut the text."""
TEXTS = [
    pytest.param(["".join(PAYLOADS[name] for name in SOME), PAYLOADS["address"]], id="together"),
    pytest.param([*PAYLOADS.values()], id="each", marks=pytest.mark.long),
]
FOREIGN = "main :is(script, iframe, base, link, style, meta, img, animate, [onfocus], [onload])"


def is_inert(page: Page) -> bool:
    """Whether nothing of PAYLOADS has become an element, a script or a figure."""
    assert page.evaluate("window.owned") is None
    assert page.locator(FOREIGN).count() == 0
    elsewhere = "all => all.filter(({ host }) => host !== location.host).map(({ href }) => href)"
    assert page.locator("a[href]").evaluate_all(elsewhere) == []  # javascript: has no host
    assert page.locator("form[action*='evil']").count() == 0
    assert "62615533" not in page.locator("main").inner_text()
    return page.locator("main").is_visible()


@pytest.mark.parametrize("texts", TEXTS)
def test_whatever_a_job_carries_and_says_is_text(lasting_dashboard: Any, texts: list[str]) -> None:
    system = lasting_dashboard.system
    page = lasting_dashboard.open("/ui/jobs")  # they run before this page's eyes
    jobs = {}
    for text in texts:
        failing = {"text": text, "fail": True}
        failed = system.submit("shout", failing, unique_key=text, max_retries=0)
        jobs[text] = (failed, system.submit("shout", {"text": text}, unique_key=f"{text} again"))
    for failed, done in jobs.values():
        system.wait_for_job(failed)
        system.wait_for_job(done)
        expect(page.locator(f"#rows tr[data-id='{done}']")).to_contain_text("done")
    assert is_inert(page)
    page = lasting_dashboard.open()
    for job_id in [one for pair in jobs.values() for one in pair][-4:]:  # of the newest ten
        expect(page.locator(f"#rows tr[data-id='{job_id}']")).to_be_visible()
    assert is_inert(page)
    for text, pair in jobs.items():
        for job_id in pair:
            page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
            for part in (text[:20], text[-20:]):
                expect(page.locator("#payload")).to_contain_text(part)
                expect(page.locator("#log .line").first).to_contain_text(part)
            assert is_inert(page)


def test_no_text_turns_the_direction_of_what_is_shown(lasting_dashboard: Any) -> None:
    system, text = lasting_dashboard.system, "invoice\u202efdp.exe \u2066isolated\u2069"
    failing = {"text": text, "fail": True}
    job_id = system.submit("shout", failing, unique_key="turned", max_retries=0)
    system.wait_for_job(job_id)
    shown = "invoice\\u202efdp.exe \\u2066isolated\\u2069"
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    for place in ("#payload", "#log", "#errors"):
        expect(page.locator(place)).to_contain_text(shown)
    for path in (f"/ui/jobs/{job_id}", "/ui/jobs", "/ui/errors", "/"):
        page = lasting_dashboard.open(path)
        expect(page.locator("main")).to_contain_text("shout")
        assert not set("\u202e\u2066\u2069") & set(page.locator("body").text_content() or "")


def test_what_the_api_answers_is_no_page(lasting_dashboard: Any) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    text = "".join(PAYLOADS.values())
    job_id = system.submit("shout", {"text": text, "fail": True}, unique_key="k", max_retries=0)
    system.wait_for_job(job_id)
    answer = system.client.post(f"/jobs/{job_id}/retry", json={"reason": text})
    assert answer.status_code == 200
    for path in ("/audit", f"/jobs/{job_id}", f"/jobs/{job_id}/logs", f"/jobs/{job_id}/events"):
        assert page.goto(system.url + path).headers["content-type"] == "application/json"
        assert page.evaluate("window.owned") is None
    system.wait_for_job(job_id)  # it fails again, and would count in another test


@pytest.mark.parametrize("texts", TEXTS)
def test_whatever_an_address_carries_is_text(lasting_dashboard: Any, texts: list[str]) -> None:
    for text in texts:
        quoted = quote(text, safe="")
        for path in (
            f"/?q={quoted}&status={quoted}&type={quoted}&queue={quoted}&tag={quoted}#{quoted}",
            f"/ui/submit?type={quoted}#{quoted}",
            f"/ui/queues#{quoted}",
            f"/ui/audit?cursor={quoted}#%",
        ):
            assert is_inert(lasting_dashboard.open(path))
        for path in (f"/{quoted}", f"/ui/jobs/{quoted}"):
            answer = lasting_dashboard.page.goto(lasting_dashboard.system.url + path)
            assert answer.status == 404
            assert is_inert(lasting_dashboard.page)
        answer = lasting_dashboard.page.goto(f"{lasting_dashboard.system.url}/jobs?type={quoted}")
        assert answer.headers["content-type"] == "application/problem+json"
        assert lasting_dashboard.page.evaluate("window.owned") is None


class EmptyPage(BaseHTTPRequestHandler):
    """Answers with a page that has no policy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def evil_url() -> Iterator[str]:
    """Of a page of anybody: another port is another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/evil.html"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_can_neither_read_write_frame_nor_listen(
    lasting_system: Any, page: Page, evil_url: str
) -> None:
    """The whole of it from where the attacker stands: a page in the same browser."""
    victim = lasting_system
    page.goto(evil_url)
    tried = page.evaluate(
        """async (url) => {
            const outcome = async (act) => {
                try { return await act(); } catch { return "refused"; }
            };
            const send = (how) => outcome(async () => (await fetch(`${url}/jobs`, how)).status);
            const job = { type: "wordcount", payload: { text: "a" }, tags: ["evil"] };
            const body = JSON.stringify(job);
            const headers = { "Content-Type": "application/json" };
            const listens = new Promise((done) => {
                const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
                socket.onmessage = () => done("listens");
                socket.onerror = () => done("refused");
            });
            const frame = document.createElement("iframe");
            frame.src = url;
            document.body.append(frame);
            await new Promise((done) => { frame.onload = done; });
            return {
                read: await send({}),
                write: await send({ method: "POST", headers, body }),
                simple: await send({ method: "POST", mode: "no-cors", body }),
                beacon: await outcome(async () => navigator.sendBeacon(`${url}/jobs`, body)),
                websocket: await listens,
                framed: await outcome(() => frame.contentWindow.document.title),
            };
        }""",
        victim.url,
    )
    assert tried["read"] == tried["write"] == tried["websocket"] == tried["framed"] == "refused"
    assert victim.get("/jobs?tag=evil")["items"] == []
