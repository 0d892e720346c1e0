"""docs/deploy/grafana.json and prometheus-rules.yaml ask for what a real /metrics has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.crash_cell import CellState

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
BOARD = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text(encoding="utf-8"))

GIVEN_BY_PROMETHEUS = {"instance", "job"}
FUNCTIONS = {"sum", "max", "min", "by", "rate", "increase", "histogram_quantile"}

_TEXT = re.compile(r'"[^"]*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_SELECTOR = re.compile(r"([a-z_]\w*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"')
_BY = re.compile(r"by \(([^)]*)\)")
_WORD = re.compile(r"(?<![\w.])[a-z_]\w*")


def expressions() -> Iterator[tuple[str, str, bool]]:
    """Where each expression stands, and whether it is one of the board."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']!r}", target["expr"], True
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"], False


@pytest.fixture
def samples(api: Any) -> dict[str, list[dict[str, str]]]:
    """Every sample's labels by its name, after some work of every kind."""
    api.process("supervisor", Role.SUPERVISOR)
    api.process("default-1", incarnation="one")
    api.store.processes.put_slots(
        [
            api.slot("supervisor", SlotState.READY, Role.SUPERVISOR),
            api.slot("default-1", SlotState.READY, incarnation="one", restarts=3, rss_bytes=1),
            api.slot("web-1", SlotState.READY, Role.PROGRAM, pool="web"),
        ]
    )
    for cause in ("crashed", "hung", "out_of_memory", "killed"):
        api.store.supervision.count_exit("host-1", "default-1", cause)
    api.store.supervision.put_gauge("host-1", "loop_lag_s", 0.25)
    api.store.outboxes.remember("shop", "here", 0, [1], refused=1)
    for ending, error in (
        (Ending.SUCCEEDED, None),
        (Ending.FAILED_PERMANENTLY, JobError("E", "no", None)),
    ):
        api.submit()
        (lease,) = api.lease()
        ended = Finished(lease, ending, "null", error, cpu_s=0.1, max_rss_bytes=1)
        api.store.leases.finish([ended])
    api.store.quarantines.after = 1
    api.submit()
    (lease,) = api.lease()
    api.store.leases.free("life-1", CellState(lease.token, running=True))
    api.submit()
    api.client.get(f"/jobs/{api.submit()}")
    api.client.get("/nothing")
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(api.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_every_metric_and_label_that_is_asked_for_exists(
    samples: dict[str, list[dict[str, str]]],
) -> None:
    asked = list(expressions())
    assert len(asked) > 30
    for where, text, _ in asked:
        bare = re.sub(r"\{[^}]*\}", "", _BY.sub("", _TEXT.sub("", text)))
        names = set(_WORD.findall(_RANGE.sub("", bare)))
        metrics = names - FUNCTIONS - {"up"}
        assert metrics or "up{" in text, where
        assert metrics <= set(samples), (where, metrics - set(samples))
        known = {label for name in metrics for labels in samples[name] for label in labels}
        for listed in _BY.findall(text):
            unknown = {one.strip() for one in listed.split(",")} - known - GIVEN_BY_PROMETHEUS
            assert not unknown, (where, unknown)
        for name, matchers in _SELECTOR.findall(_escaped(text)):
            for label, value in _MATCHER.findall(matchers):
                if label not in GIVEN_BY_PROMETHEUS:
                    values = {labels.get(label) for labels in samples[name]}
                    pattern = value.replace("<", "{").replace(">", "}")
                    assert pattern == "5xx" or any(
                        re.fullmatch(pattern, one or "") for one in values if one is not None
                    ), (where, label, value, values)


def _escaped(text: str) -> str:
    """Return the text without braces inside of quotes."""
    return _TEXT.sub(lambda one: one[0].replace("{", "<").replace("}", ">"), text)
