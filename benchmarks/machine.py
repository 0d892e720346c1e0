"""What a run was made on: figures can only be compared on the same machine."""

import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import apsw
import psutil

from benchmarks.catalog import Entry


def describe() -> dict[str, str]:
    """Return the machine, and how busy it is now."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "fsync": f"{_fsync_ms():.2f} ms",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def versions(entries: tuple[Entry, ...]) -> dict[str, str]:
    """Return the version of each peer that is installed."""
    found = {}
    for entry in entries:
        for package in entry.packages[:1]:
            try:
                found[entry.name] = f"{package} {metadata.version(package)}"
            except metadata.PackageNotFoundError:
                continue
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms() -> float:
    times_ms = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            began_s = time.perf_counter()
            os.fsync(file.fileno())
            times_ms.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(times_ms)
