"""Two moves at once, from two hosts: one wins, and no job is in two databases that are used.

The second one runs as a whole at one moment of the first.
"""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import MoveRefused, Store
from orpheus.shared.storage.verbs import moves
from tests.contract.moves.killed import BACKENDS, can_start

JOBS = 9
Moved = Callable[..., dict[str, int]]


@pytest.fixture(params=BACKENDS)
def urls(
    request: pytest.FixtureRequest, new_url: Callable[[str], str], opened: Callable[..., Store]
) -> tuple[str, str, str]:
    """A database with jobs, and two empty ones."""
    source, *others = (new_url(request.param) for _ in range(3))
    store = opened(source)
    store.jobs.submit_many([NewJob("noop")] * JOBS)
    store.close()
    return source, others[0], others[1]


@pytest.fixture
def once_before(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
    """Does something before a verb of the first move; what that calls is not interrupted."""

    def interrupt(verb: str, does: Callable[[], Any]) -> None:
        called = getattr(moves.Moves, verb)

        def first_the_other(self: moves.Moves, *values: Any) -> Any:
            monkeypatch.setattr(moves.Moves, verb, called)
            does()
            return called(self, *values)

        monkeypatch.setattr(moves.Moves, verb, first_the_other)

    return interrupt


@pytest.mark.parametrize("verb", ["put", "release"])
def test_of_two_that_copy_the_same_the_one_that_began_later_goes_on(
    verb: str,
    urls: tuple[str, str, str],
    opened: Callable[..., Store],
    moved: Moved,
    once_before: Callable[..., None],
) -> None:
    source, target, _ = urls
    once_before(verb, lambda: moved(source, target))
    with pytest.raises(MoveRefused, match="has come in between"):
        moved(source, target)
    store = opened(target)
    assert store.maintenance.verify() == []
    assert store.jobs.submit(NewJob("noop")).job.id == JOBS + 1
    assert not can_start(opened, source)


def test_of_two_from_one_database_only_one_is_released(
    urls: tuple[str, str, str],
    opened: Callable[..., Store],
    moved: Moved,
    once_before: Callable[..., None],
) -> None:
    source, target, other_target = urls
    once_before("put", lambda: moved(source, other_target))
    with pytest.raises(MoveRefused, match="has come in between"):
        moved(source, target)
    assert can_start(opened, other_target)
    assert not can_start(opened, target) and not can_start(opened, source)


def test_a_source_that_is_reopened_meanwhile_is_not_left(
    urls: tuple[str, str, str],
    opened: Callable[..., Store],
    moved: Moved,
    once_before: Callable[..., None],
) -> None:
    source, target, _ = urls
    once_before("put", opened(source, create=False).moves.reopen)
    with pytest.raises(MoveRefused, match="has come in between"):
        moved(source, target)
    assert can_start(opened, source) and not can_start(opened, target)
