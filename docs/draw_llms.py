"""Draws docs/llms.txt, the index for language models, and the index of decisions."""

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
NAV = tomllib.loads((DOCS / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]

HEAD = """# Orpheus

> Background jobs that do not get lost, from one command and one SQLite file: a job orchestrator and
> process supervisor in Python, with an HTTP API, a live dashboard, retries, schedules, durable
> functions and, with PostgreSQL, several hosts.

Job code needs `from orpheus import Context, job`, an application `from orpheus import Client`. The
command is `orpheus`, the settings are in `orpheus.toml`.
"""
DECISIONS = """# Decisions

Each page says what was decided, for which reason, and what was not chosen.

"""


def title_and_sentence(page: Path) -> tuple[str, str]:
    """Return the title of a page and the first sentence of its prose, without links."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    title, _, rest = text.removeprefix("# ").partition("\n")
    prose = next(part for part in rest.split("\n\n") if re.match(r"[\w*`]", part.strip()))
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(prose.split()))
    return title, re.split(r"(?<=\.)\s", plain, maxsplit=1)[0].replace("**", "")


def llms_text() -> str:
    """Return the index of all pages, by section."""
    lines = [HEAD.rstrip()]
    for section in NAV:
        [(name, pages)] = section.items()
        lines += ["", f"## {name}", ""]
        for page in pages:
            title, sentence = title_and_sentence(DOCS / page)
            lines.append(f"- [{title}]({page}): {sentence}")
    return "\n".join(lines) + "\n"


def decisions_page() -> str:
    """Return the index of the decisions."""
    pages = sorted(DOCS.glob("adr/[0-9]*.md"))
    rows = [f"- [{title_and_sentence(page)[0]}]({page.name})" for page in pages]
    return DECISIONS + "\n".join(rows) + "\n"
