"""A client behind a proxy that passes a request on and then loses the answer."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from orpheus.client import NotFound, TransitionRefused
from orpheus.shared.domain.job_filter import JobFilter
from tests.api.conftest import Running
from tests.clients.test_http import Reply, Scripted, calling

PASSED_ON = ("content-type", "idempotency-key")


class Proxy(Scripted):
    """Passes every request on, and answers the first ones with a status of its own (`lost`)."""

    def __init__(self, port: int) -> None:
        super().__init__([])
        self.lost: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Is done before such an answer."""
        self._api = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        kept = {name: headers[name] for name in headers if name.lower() in PASSED_ON}
        passed = self._api.request(method, path, content=body, headers=kept)
        if self.lost:
            self.meanwhile()
            return self.lost.pop(0), {"Retry-After": "0"}, b"<html>no upstream</html>"
        kind = {"Content-Type": passed.headers.get("content-type", "")}
        return passed.status_code, kind, passed.content

    def stop(self) -> None:
        super().stop()
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
