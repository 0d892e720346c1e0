"""Draws docs/state_machine.md and docs/slots.md from the tables of the pure modules.

And docs/stream.md from the models of the frames (docs/draw_stream.py).

`python docs/draw.py` writes the pages; with `--check` it only says (exit 1) which are stale.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.draw_stream import stream_page
from orpheus.shared.domain.lifecycle import ENDINGS, TERMINAL, TRANSITIONS
from orpheus.supervisor.policy.slot import Cause, Rules
from orpheus.supervisor.policy.state_machine import TABLE

HEAD = """# The life of a job

Drawn by `python docs/draw.py` from the tables of `shared/domain/lifecycle.py`; a test holds this
page equal to them, another the SQL guards. Edit the tables, not this page.

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


def jobs_page() -> str:
    """The life of a job."""
    return HEAD + "\n".join([*diagram(), "", *transitions(), "", *endings()]) + "\n"


SLOTS_HEAD = """# The life of a slot

Drawn by `python docs/draw.py` from `TABLE` of `supervisor/policy/state_machine.py`; a test holds
this page equal to it. Edit the table, not this page.

A slot is a position (`default-1`, `api`); a life is one process in it. What is wanted of it (`up`,
`down`, `drained`, `replace`) is the only thing that a restart or a stop goes by, so the two cannot
race. How a life is judged is the table at the top of `supervisor/policy/liveness.py`.

"""

SLOTS_TAIL = """
## How a life ends, and what follows

| exit | follows |
| --- | --- |
| wanted: stopped, drained or to be replaced | down, and started at once if it is to be replaced |
| past a limit, or it asked to be replaced | started at once; the third idle one in 60 s counts |
| 0, unasked, after {early:g} s | started at once |
| 78 (configuration) | fatal at once |
| anything else | counts: waits min({most:g} s, {base:g} s · 2^(n−1)) × U(0.5, 1) |

A life that was ready for {stable:g} s starts n anew. {crashes} counted exits within {window:g} s,
such lives apart, make the slot fatal; it is tried once every {retry:g} s, and by an operator or a
reload at once. When half of a pool (at least two) fails alike before it is ready, one slot tries
alone until it has stayed up for {trial:g} s.

Exits are counted by cause (`orpheus_process_exits_total`): {causes}.

## Slots together

A change of the configuration, or SIGUSR2, replaces the lives that it outdates, idle workers first;
at most a quarter of a pool (at least one) is not ready at a time, so that a start that fails stops
the roll at the first. The API gets a successor, which takes its place once it is ready; the old one
answers what it was asked, and ends. A process that SIGKILL does not end is set aside: its leases
are free, and another life takes its slot.
"""


def slots_page() -> str:
    """The life of a slot."""
    lines = ["| state | when | next | done | told |", "| --- | --- | --- | --- | --- |"]
    for row in TABLE.values():
        cells = (
            row.state.value,
            row.trigger.value,
            row.enters.value,
            row.deed.value if row.deed else "",
            f"`{row.tells}`" if row.tells else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    rules = Rules()
    tail = SLOTS_TAIL.format(
        early=rules.early_exit_s,
        most=rules.backoff_max_s,
        base=rules.backoff_base_s,
        stable=rules.stable_s,
        crashes=rules.crash_loop_failures,
        window=rules.crash_loop_window_s,
        retry=rules.fatal_retry_s,
        trial=rules.trial_s,
        causes=", ".join(f"`{cause}`" for cause in Cause),
    )
    return SLOTS_HEAD + "\n".join(lines) + "\n" + tail


PAGES = {"state_machine.md": jobs_page, "slots.md": slots_page, "stream.md": stream_page}


def main() -> int:
    """Write the pages, or check them."""
    code = 0
    for name, page in PAGES.items():
        file = Path(__file__).with_name(name)
        if "--check" not in sys.argv[1:]:
            file.write_text(page(), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != page():
            sys.stderr.write(f"{name} is stale; run: python docs/draw.py\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
