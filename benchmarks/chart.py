"""The chart of a run as SVG: how fast jobs are done, and how long one waits. Pure.

Its colours follow the reader's: light, or dark if the browser prefers it. It has no script, and
text is set in the reader's own font.
"""

import math
from collections.abc import Iterator
from html import escape

from benchmarks import tables
from benchmarks.catalog import ALONE, ENTRIES, ORPHEUS, Entry
from benchmarks.results import Figure, Results

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH = 860
LABELS = 200
BARS = (212, 296)
"""Where the bars begin, and how wide the longest is."""
DOTS = (604, 196)
TOP, STEP, THICK = 64, 28, 16
TICKS_MS = (1, 10, 100, 1_000)

STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.note, .tick { fill: #656d76; font-size: 12px }
.us { font-weight: 600 }
.bar { fill: #8c959f }
.bar.weak { fill: #d0d7de }
.bar.us { fill: #2f6feb }
.range { stroke: #1f2328; stroke-opacity: .55 }
.grid { stroke: #d8dee4 }
.wait { stroke: #8c959f; stroke-width: 3; stroke-linecap: round; stroke-opacity: .45 }
.dot { fill: #8c959f }
.wait.us { stroke: #2f6feb } .dot.us { fill: #2f6feb }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note, .tick { fill: #8d96a0 }
  .bar { fill: #6e7681 } .bar.weak { fill: #3d444d } .bar.us { fill: #4c8dff }
  .range { stroke: #e6edf3 } .grid { stroke: #30363d }
  .wait { stroke: #8d96a0 } .dot { fill: #8d96a0 }
  .wait.us { stroke: #4c8dff } .dot.us { fill: #4c8dff }
}
"""


def svg(results: Results) -> str:
    """Return the chart of what was measured, the fastest system first."""
    found = [
        (entry, figure)
        for entry in ENTRIES
        if entry.name != ALONE and (figure := results.figure("drain", entry.name))
    ]
    found.sort(key=lambda one: -one[1].median)
    height = TOP + STEP * len(found) + 34
    largest = max((figure.high for _, figure in found), default=1.0)
    about = escape(summary(found))
    parts = [
        f'<svg xmlns="{NAMESPACE}" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{about}">',
        f"<style>{STYLE}</style>",
        *heads(height),
        *(
            part
            for n, (entry, figure) in enumerate(found)
            for part in line(results, entry, figure, largest, TOP + STEP * n)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def summary(found: list[tuple[Entry, Figure]]) -> str:
    """Return the chart in words, for those who cannot see it."""
    rates = (f"{entry.title} {figure.median:,.0f}" for entry, figure in found)
    return f"No-op jobs a second with two workers: {'; '.join(rates)}"


def heads(height: int) -> Iterator[str]:
    """Yield the titles of both panels, and the scale of the right one."""
    yield text(BARS[0], 22, "No-op jobs per second", "title")
    yield text(BARS[0], 42, "two workers; pale: a power loss may lose jobs", "note")
    yield text(DOTS[0], 22, "Until an idle worker starts it", "title")
    yield text(DOTS[0], 42, "ms, p50 to p99; less is better", "note")
    for tick in TICKS_MS:
        x = across(tick)
        yield f'<path class="grid" d="M{x:.0f} {TOP - 8}V{height - 26}"/>'
        yield text(x, height - 8, f"{tick:,}", "tick", "middle")


def line(results: Results, entry: Entry, figure: Figure, largest: float, y: int) -> Iterator[str]:
    """Yield the row of one system: its name, its bar with the figure, its wait."""
    kind = "us" if entry.name == ORPHEUS else "" if entry.durable == "yes" else "weak"
    begin, full = BARS
    width = max(2.0, figure.median / largest * full)
    middle = y + THICK / 2
    yield text(LABELS, y + 13, entry.title, kind, "end")
    size = f'width="{width:.1f}" height="{THICK}"'
    yield f'<rect class="bar {kind}" x="{begin}" y="{y}" {size} rx="3"/>'
    low, high = (begin + value / largest * full for value in (figure.low, figure.high))
    yield f'<path class="range" d="M{low:.1f} {middle}H{high:.1f}"/>'
    yield text(max(begin + width, high) + 8, y + 13, f"{figure.median:,.0f}", kind)
    p50, p99 = (results.figure(f"pick_up_{part}", entry.name) for part in ("p50", "p99"))
    if p50 and p99:
        left, right = across(p50.median), across(p99.median)
        yield f'<path class="wait {kind}" d="M{left:.1f} {middle}H{right:.1f}"/>'
        yield f'<circle class="dot {kind}" cx="{left:.1f}" cy="{middle}" r="5"/>'
        yield text(right + 10, y + 13, tables.number(p50.median), kind)


def across(ms: float) -> float:
    """Return where a time is on the right panel, whose scale is logarithmic."""
    begin, full = DOTS
    least, most = math.log10(0.3), math.log10(2_000)
    return begin + (math.log10(min(max(ms, 0.3), 2_000)) - least) / (most - least) * full


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    where = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(words)}</text>'
