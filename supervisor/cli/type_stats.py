"""`orpheus types --stats`: what the attempts of each type cost."""

from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.jobs import Outcome
from orpheus.shared.storage import Store
from orpheus.shared.views.type_stats import types_stats_json
from orpheus.supervisor.cli.output import duration, mebibytes, print_items
from orpheus.supervisor.cli.table import Column

_COLUMNS = (
    Column("TYPE", least=12),
    "SUCCEEDED",
    "OTHERWISE",
    Column("SNOOZED", 3),
    Column("LAST HOUR", 1),
    Column("RUN P50", 4),
    "RUN P95",
    Column("WAIT P50", 6),
    Column("WAIT P95", 2),
    Column("CPU P50", 7),
    Column("CPU P95", 5),
    Column("CPU IN ALL", 3),
    Column("PEAK MEMORY", 1),
)


def print_type_stats(store: Store, *, as_json: bool) -> None:
    """Print a row for each type of which an attempt has ended."""
    print_items(types_stats_json(store), _COLUMNS, _row, as_json=as_json)


def _row(item: Mapping[str, Any]) -> tuple[object, ...]:
    succeeded = item["ended"].get(Outcome.SUCCEEDED, 0)
    snoozed = item["ended"].get(Outcome.SNOOZED, 0)
    return (
        item["name"],
        succeeded,
        sum(item["ended"].values()) - succeeded - snoozed,
        snoozed or None,
        _in_words(item["last_hour"]),
        *(
            duration(item[times][part])
            for times in ("run_s", "wait_s", "cpu_s")
            for part in ("p50", "p95")
        ),
        duration(item["cpu_total_s"]),
        mebibytes(item["max_rss_bytes"]),
    )


def _in_words(ended: Mapping[str, int]) -> str | None:
    """Return how many jobs ended: "12 done, 3 failed"."""
    return ", ".join(f"{n} {status}" for status, n in ended.items() if n) or None
