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


SLOTS_HEAD = """# The states of a slot

`python docs/draw.py` generates this page from `TABLE` in `supervisor/policy/state_machine.py`; a
test checks that it is up to date. Edit the table, not this page.

A slot is a position (`default-1`, `api`) that holds one process at a time. Restarts and stops only
set what the slot should be (`up`, `down`, `drained` or `replace`), so they cannot race. The table
at the top of `supervisor/policy/liveness.py` shows how a process is judged.

"""

SLOTS_TAIL = """
## How a process ends, and what follows

| exit | follows |
| --- | --- |
| wanted: stopped, drained or to be replaced | down; started at once if it is to be replaced |
| past a limit, or it asked to be replaced | started at once; see below |
| exit code 0 without being told to, after {early:g} s | started at once |
| exit code 78 (configuration) | fatal at once |
| anything else | a failure: backoff of min({most:g} s, {base:g} s · 2^(n−1)) × U(0.5, 1) |

n is the number of failures in a row; it starts again at 1 after a process that was ready for
{stable:g} s. {crashes} failures within {window:g} s, not counting such processes, are a crash loop
and make the slot fatal: it is retried every {retry:g} s, and at once after an operator's restart or
a reload. {recycles:g} processes within {recycle_window:g} s that asked to be replaced or passed a
limit before they did a job count as a failure too. When half of a pool (at least two slots) fails
in the same way before it is ready, one slot tries alone until it has been ready for {trial:g} s.

Exits are counted by cause (`orpheus_process_exits_total`): {causes}.

## Slots together

A rolling restart, after a change of the configuration or SIGUSR2, replaces the outdated processes,
idle workers first. At most a quarter of a pool (at least one slot) is not ready at a time, so a
start that fails stops the rolling restart at the first slot. The API gets a successor, which takes
its place once it is ready; the old API answers the requests it has, and ends. A process that
SIGKILL does not end is set aside: its leases are freed, and another process starts in its slot.
"""


def slots_page() -> str:
    """The states of a slot."""
    lines = [
        "| state | trigger | next state | command | event |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (state, trigger), row in TABLE.items():
        cells = (
            state.value,
            trigger.value,
            row.enters.value,
            row.command.value if row.command else "",
            f"`{row.event}`" if row.event else "",
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
        recycles=rules.recycle_limit,
        recycle_window=rules.recycle_window_s,
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
