"""The command that measures, on a small scale: nothing is lost or doubled, and all of it is shown.

How fast anything is, no test says: that depends on the machine.
"""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from benchmarks.chart import svg
from benchmarks.publish import report, summary
from benchmarks.results import Results

ROOT = Path(__file__).parents[2]
SUBJECTS = {"orpheus", "one-at-a-time", "ceiling", "ceiling-1"}


def test_a_quick_run_measures_loses_nothing_and_shows_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--size=0.02", "--json", str(file)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    # A job that was lost or doubled ends the command: each system checks its effect log.
    assert done.returncode == 0, done.stderr
    results = Results.load(file)
    assert set(results.figures["drain"]) - {"huey"} == SUBJECTS, done.stderr
    assert ("huey" in results.figures["drain"]) or "not installed" in results.skipped["huey"]
    assert done.stdout.strip() == report(results).strip()
    assert "drain ÷ ceiling" in done.stdout
    assert "Measured on" in summary(results)
    assert ET.fromstring(svg(results)).tag.endswith("svg")
