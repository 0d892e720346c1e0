"""`orpheus types --stats`: what the attempts of each type cost."""

from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.jobs import Outcome
from orpheus.shared.storage import Store
from orpheus.shared.views.type_stats import type_stats_json
from orpheus.supervisor.cli.output import duration, mebibytes, print_items


def print_type_stats(store: Store, *, as_json: bool) -> None:
    """Print a row for each type of which an attempt has ended."""
    items = [type_stats_json(figures) for figures in store.stats.types()]
    times = [f"{what} {part}" for what in ("RUN", "WAIT", "CPU") for part in ("P50", "P95")]
    columns = ("TYPE", "SUCCEEDED", "OTHERWISE", *times, "CPU IN ALL", "PEAK MEMORY")
    print_items(items, columns, _row, as_json=as_json)


def _row(item: Mapping[str, Any]) -> tuple[object, ...]:
    succeeded = item["ended"].get(Outcome.SUCCEEDED, 0)
    return (
        item["name"],
        succeeded,
        sum(item["ended"].values()) - succeeded,
        *(
            duration(item[times][part])
            for times in ("run_s", "wait_s", "cpu_s")
            for part in ("p50", "p95")
        ),
        duration(item["cpu_total_s"]),
        mebibytes(item["max_rss_bytes"]),
    )
