"""A client behind a proxy that passes a request on and then loses the answer."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from orpheus.client import NotFound, TransitionRefused
from orpheus.shared.domain.job_filter import JobFilter
from tests.api.conftest import Running
from tests.clients.test_http import calling

SOON = {"Retry-After": "0"}


class Proxy:
    """Passes every request on, and answers the first ones with a status of its own (`lost`)."""

    def __init__(self, port: int) -> None:
        self.lost: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Is done before such an answer."""
        proxy, lost = self, self.lost
        api = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        self._api = api

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() in ("content-type", "idempotency-key")
                }
                passed = api.request(self.command, self.path, content=body, headers=headers)
                if lost:
                    proxy.meanwhile()
                    self.reply(lost.pop(0), b"<html>no upstream</html>", SOON)
                else:
                    kind = {"Content-Type": passed.headers.get("content-type", "")}
                    self.reply(passed.status_code, passed.content, kind)

            def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that it calls

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._api.close()


@pytest.fixture
def proxy(api: Running) -> Iterator[Proxy]:
    started = Proxy(api.port)
    yield started
    started.stop()


@pytest.fixture(params=["blocking", "awaited"])
def call(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Callable[..., Any]]:
    """Calls a method of a client behind the proxy."""
    with calling(request.param, proxy.url) as through:
        yield through


def kinds(api: Running, job_id: int) -> list[str]:
    """Return what happened to a job."""
    return [event.kind for event in api.store.events.of_job(job_id, 100, 0)]


def test_a_submission_is_stored_once(call: Callable[..., Any], proxy: Proxy, api: Running) -> None:
    proxy.lost.extend([503, 502])
    job = call("submit", "add", {"n": 1})
    assert [one.id for one in api.store.jobs.page(JobFilter(), 9)] == [job.id]


def test_a_cancel_that_was_done_is_no_error(
    call: Callable[..., Any], proxy: Proxy, api: Running
) -> None:
    job_id = api.submit()
    proxy.lost.extend([503, 504])
    job = call("cancel", job_id)
    assert (job.status, job.attempts) == ("cancelled", ())
    assert kinds(api, job_id).count("job.cancelled") == 1
    with pytest.raises(TransitionRefused):
        call("cancel", job_id)


def test_a_cancel_of_a_running_job_that_ends_meanwhile_is_no_error(
    call: Callable[..., Any], proxy: Proxy, api: Running
) -> None:
    job_id = api.submit()
    (lease,) = api.lease()
    proxy.lost.append(503)
    proxy.meanwhile = lambda: api.finish(lease)
    job = call("cancel", job_id)
    assert (job.status, job.cancel_requested) == ("done", True)


def test_a_delete_that_was_done_is_no_error(
    call: Callable[..., Any], proxy: Proxy, api: Running
) -> None:
    api.submit()
    job_id = api.run_one()
    proxy.lost.append(503)
    call("delete", job_id)
    for method in ("get", "delete"):
        with pytest.raises(NotFound):
            call(method, job_id)
