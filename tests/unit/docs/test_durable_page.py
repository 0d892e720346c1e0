"""docs/durable.md: each of its snippets runs, and does what the page says."""

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.steps import MAX_STEPS
from orpheus.shared.job_types import context as contexts
from orpheus.shared.job_types import registry
from orpheus.testing import Harness

PAGE = (Path(__file__).parents[3] / "docs" / "durable.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ANSWERS = [
    {"role": "model", "tool": "search", "queries": ["tea", "pots"]},
    {"role": "model", "tool": "ask a person"},
    {"role": "model", "tool": "add", "arguments": {"a": 1, "b": 2}},
    {"role": "model", "text": "done"},
]


class World:
    """What the page's jobs call, and how often they did."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def names(self) -> dict[str, Any]:
        return {
            "charge": lambda number, _key: self.note(f"payment {number}"),
            "refund": lambda payment: self.note(f"refund of {payment}"),
            "ship": lambda number: self.note(f"parcel {number}"),
            "send_link": lambda claim: self.note(f"link {claim}"),
            "pay": lambda claim, _key: self.note(f"paid {claim}"),
            "find": lambda query: [self.note(query)],
            "ask_model": lambda messages: self.note(ANSWERS[len(messages) // 2]),
            "TOOLS": {"add": lambda a, b: self.note(a + b)},
            "read_pages": self.read_pages,
            "load": self.load,
            "count_customers": lambda: "all loaded",
        }

    def note(self, what: Any) -> Any:
        self.did.append(what)
        return what

    def read_pages(self, _url: str, after: int | None) -> Iterator[Any]:
        for number in range(after or 0, 4):
            yield {"rows": number, "next": number + 1}

    def load(self, rows: int) -> None:
        self.note(rows)
        if self.did == [0, 1, 2]:
            raise OSError("the network is away")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def page(world: World) -> Iterator[dict[str, Any]]:
    """What the snippets define, run one after the other."""
    before, module = dict(registry._registry), types.ModuleType("durable_page")
    registry._registry.clear()
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/durable.md", "exec"), module.__dict__)
    registry.load_job_types([])
    module.__dict__.update(world.names())
    yield module.__dict__
    registry._registry.clear()
    registry._registry.update(before)


@pytest.fixture
def orpheus(page: dict[str, Any], tmp_path: Path) -> Iterator[Harness]:
    """A harness that knows the page's jobs."""
    with Harness() as harness:
        yield harness


def test_its_own_tests_pass(page: dict[str, Any], orpheus: Harness) -> None:
    page["test_one_attempt"]()
    page["test_an_order"](orpheus)


def test_an_order_that_is_refused_is_refunded(
    page: dict[str, Any], orpheus: Harness, world: World
) -> None:
    job = orpheus.submit(page["order"].new(number=7, customer="ada"))
    orpheus.client.signal("approval", 7, {"approved": False})
    orpheus.run_until_idle()
    assert orpheus.get(job).result == "refund of payment 7"
    assert world.did == ["payment 7", "refund of payment 7"]


def test_an_import_goes_on_with_the_page_at_which_it_failed(
    page: dict[str, Any], orpheus: Harness, world: World
) -> None:
    job = orpheus.submit(page["import_customers"].new(url="https://shop.example"))
    orpheus.advance("1m")
    assert orpheus.get(job).result == "all loaded"
    assert world.did == [0, 1, 2, 2, 3]


def test_a_payout_is_decided_by_a_person(
    page: dict[str, Any], orpheus: Harness, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORPHEUS_CONFIG", str(orpheus.config))
    job = orpheus.submit(page["pay_out"].new(claim=7))
    orpheus.advance("4d")
    assert world.did == ["link 7", "link 7"]
    page["decide"](7, approved=True, by="ada")
    orpheus.advance("1s")
    assert orpheus.get(job).result == "paid 7"


def test_an_agent_asks_the_model_once_for_each_turn(
    page: dict[str, Any], orpheus: Harness, world: World
) -> None:
    job = orpheus.submit(page["agent"].new(task="make tea"))
    orpheus.run_until_idle()
    orpheus.client.signal("answer", f"{job.id}-1", "yes")
    orpheus.run_until_idle()
    assert orpheus.get(job).result == "done"
    assert world.did == [ANSWERS[0], "tea", "pots", *ANSWERS[1:3], 3, ANSWERS[3]]


def test_it_names_every_call_and_the_limits() -> None:
    calls = ("step", "sleep", "wait_signal", "gather", "resume", "signal", "idempotency_key")
    assert all(hasattr(contexts.Context, call) and f"| `ctx.{call}(" in PAGE for call in calls)
    assert f"{MAX_STEPS:,} steps for a job" in PAGE
