"""`/ws?job=ID`: the hello says how the job stands, and its events can be resumed."""

from typing import Any


def test_the_hello_of_a_job_says_that_it_has_ended(api: Any) -> None:
    """A client that reads the job first, and connects when it has ended, would wait for ever."""
    mine = api.submit()
    with api.watch(f"?job={mine}") as watcher:
        assert watcher.next("hello")["job"]["status"] == "pending"
    api.run_one()
    with api.watch(f"?job={mine}") as watcher:
        told = watcher.next("hello")["job"]
    assert (told["id"], told["status"]) == (mine, "done")
    assert {"payload", "result"}.isdisjoint(told)
    with api.watch(f"?job={mine}&after=1") as watcher:
        assert watcher.next("hello")["job"]["status"] == "done"
        assert watcher.events(2)[-1]["job"] == told
    with api.watch() as watcher:
        assert "job" not in watcher.next("hello")
