"""A client that resumes in another database than it left gets a reset."""

from typing import Any

from tests.api.test_sse import id_of, listen


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
        assert watcher.next("hello")["epoch"] == epoch
        assert watcher.next() == {"type": "reset", "oldest": 1}
        assert watcher.next("hello")["seq"] == 3


def test_a_position_in_another_database_is_a_reset(api: Any) -> None:
    for _ in range(5):
        api.submit()
    for query, headers in (("?after=4&epoch=another", {}), ("", {"Last-Event-ID": "another:4"})):
        with listen(api, query, **headers) as source:
            assert source.block() == {"id": id_of(api, 4)}
            assert source.block()["event"] == "reset"
            assert source.block() == {"id": id_of(api, 5)}
