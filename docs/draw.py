"""Draws docs/state_machine.md from the tables of shared/lifecycle.py.

`python docs/draw.py` writes the page; with `--check` it only says (exit 1) whether it is current.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from shared.lifecycle import ENDINGS, TERMINAL, TRANSITIONS

PAGE = Path(__file__).with_name("state_machine.md")

HEAD = """# The life of a job

Drawn by `python docs/draw.py` from the tables of `shared/lifecycle.py`; a test holds this page
equal to them, another the SQL guards. Edit the tables, not this page.

A job waits (`blocked`, `pending`), runs (`in_progress`), or has ended (`done`, `failed`,
`cancelled`). Only an operator's retry leaves an ended status; a trigger of the database holds that.

"""


def diagram() -> list[str]:
    """Draw the statuses and the verbs between them."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending: submit"]
    lines += [
        f"    {leaves} --> {enters}: {transition.verb}"
        for transition in TRANSITIONS.values()
        for leaves in sorted(transition.leaves)
        for enters in sorted(transition.enters)
    ]
    lines += [f"    {status} --> [*]" for status in sorted(TERMINAL)]
    return [*lines, "```"]


def transitions() -> list[str]:
    """List what each verb leaves, enters and tells."""
    lines = [
        "## Transitions",
        "",
        "| verb | leaves | enters | events | needs the lease's token |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in TRANSITIONS.values():
        cells = (
            one.verb.value,
            ", ".join(sorted(one.leaves)),
            ", ".join(sorted(one.enters)),
            ", ".join(f"`{kind}`" for kind in sorted(one.events)),
            "yes" if one.needs_token else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def endings() -> list[str]:
    """List what follows each end of a lease."""
    lines = [
        "## How a lease ends, and what follows",
        "",
        "A job with `cancel_requested` goes to `cancelled` wherever it would go back to",
        "`pending`. One that spends a retry it does not have goes to `failed`.",
        "",
        "| ending | outcome of the attempt | goes to | due again | spends a retry |",
        "| --- | --- | --- | --- | --- |",
    ]
    for ending, rule in ENDINGS.items():
        due = rule.wait.value if rule.goes_to not in TERMINAL else "–"
        cells = (
            ending.value,
            rule.outcome.value if rule.outcome else "none: no attempt is left",
            rule.goes_to.value,
            due,
            "yes" if rule.spends_retry else "no",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join([*diagram(), "", *transitions(), "", *endings()]) + "\n"


def main() -> int:
    """Write the page, or check it."""
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not current:
            sys.stderr.write(f"{PAGE.name} is stale; run: python docs/draw.py\n")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
