"""Clients that come back to the stream: while much happens, and to another database."""

from typing import Any

import pytest

from orpheus.api.stream import listener
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from tests.api.test_sse import id_of, listen


def test_a_client_joins_the_stream_though_something_happens_after_each_page_it_reads(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_page, pages = listener._page_after, 0

    def page_after(after: int, job_id: int | None) -> Any:
        def read(store: Store) -> Any:
            nonlocal pages
            pages += 1
            page = read_page(after, job_id)(store)
            api.store.jobs.submit(NewJob("add"))
            return page

        return read

    api.submit()
    monkeypatch.setattr(listener, "_page_after", page_after)
    with api.watch("?after=0") as watcher:
        assert [event["seq"] for event in watcher.events(2)] == [1, 2]
        assert pages == 1  # the second one came from the ring


def position_of(hello: dict[str, Any]) -> tuple[str, int]:
    return hello["epoch"], hello["seq"]


def test_a_seq_of_another_epoch_is_a_reset(api: Any) -> None:
    for _ in range(3):
        api.submit()
    with api.watch() as watcher:
        epoch = watcher.next("hello")["epoch"]
    assert epoch == api.store.events.epoch()
    with api.watch(f"?after=2&epoch={epoch}") as watcher:
        assert watcher.next("hello")["seq"] == 2
        assert [event["seq"] for event in watcher.events(1)] == [3]
    with api.watch("?after=2&epoch=another") as watcher:
        # Whoever is cut off now and comes back gets a reset.
        assert position_of(watcher.next("hello")) == ("another", 2)
        assert watcher.next() == {"type": "reset", "oldest": 1}
        assert position_of(watcher.next("hello")) == (epoch, 3)


def test_a_position_in_another_database_is_a_reset(api: Any) -> None:
    for _ in range(5):
        api.submit()
    for query, headers in (("?after=4&epoch=another", {}), ("", {"Last-Event-ID": "another:4"})):
        with listen(api, query, **headers) as source:
            assert source.block() == {"id": "another:4"}  # it returns with it if it is cut off now
            assert source.block()["event"] == "reset"
            assert source.block() == {"id": id_of(api, 5)}
