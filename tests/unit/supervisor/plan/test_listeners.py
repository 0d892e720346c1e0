"""The API's sockets: which stay open while addresses change."""

from collections.abc import Iterator

import pytest

from orpheus.supervisor.plan.listeners import Listeners

HOST, OTHER_HOST = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    made = Listeners()
    yield made
    made.close()


def test_a_socket_that_is_neither_current_nor_taken_is_closed(listeners: Listeners) -> None:
    old, new = listeners.take(HOST, 0), listeners.take(OTHER_HOST, 0)
    listeners.let_go(old)
    listeners.let_go(new)
    listeners.keep_only(new)
    assert (old.fileno(), new.fileno() >= 0) == (-1, True)
    assert listeners.take(HOST, 0) is not old


def test_a_socket_that_was_taken_for_the_next_reload_outlives_the_present_one(
    listeners: Listeners,
) -> None:
    """The next file is checked while the main loop puts the one before it in force."""
    first, second = listeners.take(HOST, 0), listeners.take(OTHER_HOST, 0)
    listeners.let_go(first)
    again = listeners.take(HOST, 0)
    listeners.let_go(second)  # the main loop has adopted it
    listeners.keep_only(second)
    assert again is first
    assert again.fileno() >= 0
