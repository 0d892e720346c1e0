"""docs/deploy/grafana.json and prometheus-rules.yaml ask for metrics of docs/metrics.md.

tests/api/test_metrics.py shows that a real /metrics has those, with these labels.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]

DOCS = Path(__file__).parents[3] / "docs"
BOARD = json.loads((DOCS / "deploy" / "grafana.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DOCS / "deploy" / "prometheus-rules.yaml").read_text(encoding="utf-8"))
ROW = re.compile(r"^\| `(orpheus_\w+)` \| (\w+)(?:: ([\w, ]+))? \|", re.MULTILINE)
LABEL = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"')
BY = re.compile(r"by \(([^)]*)\)")


def expressions() -> Iterator[str]:
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for group in RULES["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def documented() -> dict[str, set[str]]:
    """Return the labels of each series by its name."""
    found = {}
    for name, kind, labels in ROW.findall((DOCS / "metrics.md").read_text(encoding="utf-8")):
        known = {label.strip() for label in labels.split(",")}
        found[name] = known
        if kind == "histogram":
            found |= {
                f"{name}_bucket": known | {"le"},
                f"{name}_sum": known,
                f"{name}_count": known,
            }
    return found


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    metrics, asked = documented(), list(expressions())
    assert len(asked) > 30
    for text in asked:
        names = set(re.findall(r"\borpheus_\w+", text))
        assert names <= set(metrics), text
        known = {"instance", "job"}.union(*(metrics[name] for name in names))
        by = {label.strip() for listed in BY.findall(text) for label in listed.split(",")}
        assert by | set(LABEL.findall(text)) <= known, text
