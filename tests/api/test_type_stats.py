"""GET /stats/types, and the same by type in /metrics."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from orpheus.api.routes.metrics import MOST_TYPES
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import TypeRow

MIB = 2**20


def run(api: Any, type: str, **costs: Any) -> None:
    api.submit(type, payload={"n": 1} if type == "sum_range" else {})
    (lease,) = api.lease()
    api.store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null", **costs)])


def series(api: Any) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(api.client.get("/metrics").text)
    return {
        (sample.name, sample.labels["type"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("orpheus_type_")
    }


def test_each_type_has_its_ends_percentiles_cpu_and_peak(api: Any) -> None:
    assert api.client.get("/stats/types").json() == {"items": []}
    run(api, "add", cpu_s=0.02, max_rss_bytes=40 * MIB)
    run(api, "add", cpu_s=0.04, max_rss_bytes=30 * MIB)
    (item,) = api.client.get("/stats/types").json()["items"]
    assert (item["name"], item["ended"]) == ("add", {"succeeded": 2})
    assert item["max_rss_bytes"] == 40 * MIB
    assert item["last_hour"] == {"done": 2, "failed": 0, "cancelled": 0}
    assert item["cpu_total_s"] == 0.06
    assert 0.005 < item["cpu_s"]["p50"] <= item["cpu_s"]["p95"] <= item["cpu_s"]["p99"] <= 0.04
    assert item["run_s"].keys() == item["wait_s"].keys() == {"p50", "p95", "p99"}


def test_however_many_types_there_are_their_series_are_bounded(api: Any) -> None:
    names = [f"t{n:03}" for n in range(MOST_TYPES + 20)]
    api.store.types.replace([TypeRow(name, "{}", None, None, None, "") for name in names])
    for name in names:
        run(api, name)
    attempts = {type: n for (name, type), n in series(api).items() if "attempts" in name}
    assert len(attempts) == MOST_TYPES + 1
    assert (attempts["_other"], sum(attempts.values())) == (20, len(names))
