"""How a graph of jobs is laid out: the module runs in an empty page."""

import base64
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

SCRIPTS = Path(__file__).parents[2] / "api" / "dashboard" / "static" / "js"
SIZE = {"width": 150, "height": 38, "gapX": 36, "gapY": 12}


def laid_out(page: Page, ids: list[int], edges: list[tuple[int, int]]) -> dict[str, Any]:
    code = base64.b64encode(next(SCRIPTS.rglob("layered.js")).read_bytes()).decode()
    found: dict[str, Any] = page.evaluate(
        """async ([url, ...given]) => {
            const found = (await import(url)).layOut(...given);
            return { ...found, positions: [...found.positions] };
        }""",
        [f"data:text/javascript;base64,{code}", ids, edges, SIZE],
    )
    found["positions"] = {
        one: (position["x"], position["y"]) for one, position in found["positions"]
    }
    return found


def random_graph(chance: random.Random, count: int) -> tuple[list[int], list[tuple[int, int]]]:
    ids = list(range(1, count + 1))
    edges = [
        (earlier, later)
        for later in ids[1:]
        for earlier in sorted({chance.randrange(1, later) for _ in range(chance.randint(0, 3))})
    ]
    chance.shuffle(ids)
    return ids, edges


@pytest.mark.parametrize("count", [2, 7, 200])
def test_what_waits_stands_right_of_what_it_waits_for_and_nothing_overlaps(
    page: Page, count: int
) -> None:
    ids, edges = random_graph(random.Random(count), count)
    found = laid_out(page, ids, edges)
    positions = found["positions"]
    assert set(positions) == set(ids)
    for earlier, later in edges:
        assert positions[earlier][0] + SIZE["width"] < positions[later][0]
    for column in {x for x, _ in positions.values()}:
        heights = sorted(y for x, y in positions.values() if x == column)
        apart = SIZE["height"] + SIZE["gapY"]
        assert all(low + apart <= high + 0.01 for low, high in pairwise(heights))
    assert min(y for _, y in positions.values()) >= -0.01
    assert max(x for x, _ in positions.values()) + SIZE["width"] == found["width"]
    assert max(y for _, y in positions.values()) + SIZE["height"] <= found["height"] + 0.01
    assert sorted((line["from"], line["to"]) for line in found["lines"]) == sorted(edges)
