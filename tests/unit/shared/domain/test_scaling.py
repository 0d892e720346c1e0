"""What a scale does to each slot."""

from collections.abc import Mapping
from typing import Any

import pytest

from orpheus.shared.domain.processes import Order, Role, SlotState
from orpheus.shared.domain.scaling import Scaling, exceptions, left_queues, scaling
from tests.unit.supervisor.cli.slot_rows import slot

LEAVES = {"state": SlotState.DRAINING, "order": Order.SCALED_AWAY}
EMPTY = {"state": SlotState.DOWN, "pid": None, "incarnation": None}


@pytest.mark.parametrize(
    ("slots", "wanted", "becomes"),
    [
        ([{}, {}], 5, Scaling(3, [], [], [])),
        ([LEAVES, LEAVES], 1, Scaling(0, ["wide-1"], [], [])),
        ([{}, LEAVES, LEAVES], 4, Scaling(1, ["wide-2", "wide-3"], [], [])),
        ([{}, {}, EMPTY], 2, Scaling(0, [], [], ["wide-3"])),
        ([{}, {}, EMPTY], 1, Scaling(0, [], ["wide-2"], ["wide-3"])),
        ([{}, {}, LEAVES], 1, Scaling(0, [], ["wide-2"], [])),
        ([{}, LEAVES, LEAVES], 2, Scaling(0, ["wide-2"], [], [])),
    ],
)
def test_each_slot_starts_returns_ends_or_goes(
    slots: list[dict[str, Any]], wanted: int, becomes: Scaling
) -> None:
    found = [
        slot(f"wide-{number}", **({"state": SlotState.READY} | changes))
        for number, changes in enumerate(slots, start=1)
    ]
    assert scaling(found, wanted) == becomes


def test_a_process_that_was_set_aside_is_none_of_the_slots() -> None:
    aside = slot("wide-1~life", SlotState.STUCK)
    assert scaling([slot("wide-1", SlotState.READY), aside], 0) == Scaling(0, [], ["wide-1"], [])


@pytest.mark.parametrize(
    ("role", "scale", "told"),
    [
        (Role.WORKER, Scaling(3, [], ["a-1"], []), []),
        (
            Role.WORKER,
            Scaling(0, ["a-1"], [], ["a-3"]),
            [
                "a-1 still finishes its job, and starts again after it",
                "a-3 has no process, and goes at once",
            ],
        ),
        (
            Role.WORKER,
            Scaling(0, ["a-1", "a-2"], [], ["a-3", "a-4"]),
            [
                "a-1 and a-2 still finish their jobs, and start again after them",
                "a-3 and a-4 have no process, and go at once",
            ],
        ),
        (
            Role.PROGRAM,
            Scaling(0, ["a-1"], [], []),
            ["a-1 still ends, and starts again after it"],
        ),
        (
            Role.PROGRAM,
            Scaling(0, ["a-1", "a-2"], [], []),
            ["a-1 and a-2 still end, and start again after them"],
        ),
    ],
)
def test_what_the_number_alone_does_not_promise_is_told(
    role: Role, scale: Scaling, told: list[str]
) -> None:
    assert list(exceptions(scale, role)) == told


POOLS = {"mail": ("letters", "both"), "media": ("both", "film"), "all": ("*",)}
DRAINED: Mapping[str, Any] = {"order": Order.DRAINED}


@pytest.mark.parametrize(
    ("pool", "staying", "told"),
    [
        ("mail", [], "then nobody runs the jobs of queues both and letters: 3 jobs wait there"),
        ("mail", [("mail", {})], ""),
        ("mail", [("media", {})], "then nobody runs the jobs of queue letters: 1 job waits there"),
        ("media", [("mail", {})], "then nobody runs the jobs of queue film"),
        ("mail", [("all", {})], ""),
        ("all", [], "then nobody runs the jobs of queues both and letters: 3 jobs wait there"),
        ("all", [("mail", {})], ""),
        ("media", [("mail", {}), ("media", DRAINED)], "then nobody runs the jobs of queue film"),
        ("media", [("mail", {}), ("media", LEAVES)], "then nobody runs the jobs of queue film"),
        ("media", [("mail", {}), ("media", EMPTY)], "then nobody runs the jobs of queue film"),
        (
            "media",
            [("mail", {}), ("theirs", {"host": "host-2"})],
            "then nobody runs the jobs of queue film, unless another host does",
        ),
        (
            "media",
            [("mail", {"host": "host-2"})],  # what its pool of that name serves is not known here
            "then nobody runs the jobs of queue film, unless another host does",
        ),
    ],
)
def test_the_queues_that_nobody_serves_then_are_named(
    pool: str, staying: list[tuple[str, dict[str, Any]]], told: str
) -> None:
    slots = [
        slot(f"{name}-1", **({"state": SlotState.READY, "pool": name} | changes))
        for name, changes in staying
    ]
    assert left_queues(pool, "host-1", slots, POOLS, {"letters": 1, "both": 2}) == told
