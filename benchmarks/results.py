"""The results of a run: figures by row and subject, one a round, and the file that keeps them."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.rows import Goal

MET, NOT_MET, NOT_MEASURED = "met", "not met", "not measured"


@dataclass(frozen=True)
class Figure:
    """The median of several rounds, with the least and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Self:
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Results:
    """Everything that a run has found.

    `skipped`: why a subject could not be measured. `remarks`: what else was seen of it.
    """

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, row: str, subject: str, value: float) -> None:
        self.figures.setdefault(row, {}).setdefault(subject, []).append(round(value, 6))

    def values(self, row: str, subject: str) -> list[float]:
        return self.figures.get(row, {}).get(subject, [])

    def figure(self, row: str, subject: str) -> Figure | None:
        """Return the figure; None if it was not measured."""
        values = self.values(row, subject)
        return Figure.of(values) if values else None

    def ratio(self, row: str, subject: str, versus: tuple[str, str]) -> Figure | None:
        """Return the ratio of the figures of each round; None if one was not measured.

        Those of the same round ran one after the other, under the same load of the machine.
        """
        pairs = zip(self.values(row, subject), self.values(*versus), strict=False)
        ratios = [one / other for one, other in pairs if other]
        return Figure.of(ratios) if ratios else None

    def judged(self, goal: Goal) -> tuple[Figure | None, str]:
        """Return what a goal is about, and whether it is met."""
        figure = (
            self.ratio(goal.row, goal.subject, goal.versus)
            if goal.versus
            else self.figure(goal.row, goal.subject)
        )
        if figure is None:
            return None, NOT_MEASURED
        is_met = figure.median >= goal.bound if goal.at_least else figure.median <= goal.bound
        return figure, MET if is_met else NOT_MET

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text(encoding="utf-8")))
