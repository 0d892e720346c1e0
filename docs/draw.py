"""Generate docs/state_machine.md and docs/slots.md from the tables of the pure modules.

docs/stream.md is generated from the models of the frames by docs/draw_stream.py, docs/settings.md
and config/orpheus.schema.json from the settings by docs/draw_settings.py, docs/api.md from
docstrings by docs/draw_api.py, and docs/llms.txt from the first sentence of each page by
docs/draw_llms.py.

`python docs/draw.py` writes the pages. With `--check` it writes nothing, names the pages that are
out of date, and exits 1 if there are any.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.draw_api import api_page
from docs.draw_llms import decisions_page, llms_text
from docs.draw_settings import schema_file, settings_page
from docs.draw_stream import stream_page
from orpheus.shared.domain.lifecycle import ENDINGS, TERMINAL, TRANSITIONS, EndingRule, Wait
from orpheus.shared.domain.processes import SlotState
from orpheus.supervisor.policy.slot import Cause, Rules, Trigger
from orpheus.supervisor.policy.state_machine import PROGRAM_TABLE, TABLE, SlotTransition

HEAD = """# States of a job

A job is yet to run (`blocked`, `pending`), runs (`in_progress`), or has ended (`done`, `failed`,
`cancelled`). Only an operator's retry changes the status of a job that has ended; a database
trigger enforces this.

"""
NOTE = """
`python docs/draw.py` generates this page from the tables of `shared/domain/lifecycle.py`. One test
checks that the page is up to date, another that the SQL statements follow the tables. Edit the
tables, not this page.
"""


def diagram() -> list[str]:
    """Return the diagram of the statuses and of the verbs between them."""
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
    """Return the table of verbs: the statuses before and after, and the events."""
    lines = [
        "## Transitions",
        "",
        "| verb | status before | status after | events | needs the lease's token |",
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
    """Return the table of what follows each end of a lease."""
    lines = [
        "## How a lease ends, and what follows",
        "",
        "A job with `cancel_requested` goes to `cancelled` where it would go back to `pending`.",
        "A job that would spend a retry and has none left goes to `failed`. With `max_retries` 0,",
        "`result_lost` and `crashed_together` end the job too: it has run, and is not run again.",
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
            _spends(rule),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _spends(rule: EndingRule) -> str:
    if rule.spends_retry:
        return "yes"
    if rule.is_crash:
        return "from its second crash on"
    return "from the second in a row on" if rule.wait is Wait.LOSS_BACKOFF else "no"


def jobs_page() -> str:
    """Return the page about jobs."""
    return HEAD + "\n".join([*diagram(), "", *transitions(), "", *endings()]) + "\n" + NOTE


SLOTS_HEAD = """# States of a slot

A slot is a position (`default-1`, `api`) that holds one process at a time. Restarts and stops only
set what the slot should be (`up`, `down`, `drained`, `ended`, `replace`), so they cannot race. The
table at the top of `supervisor/policy/liveness.py` shows how a process is judged.

"""

SLOTS_TAIL = """
## How a process ends, and what follows

| exit | what follows |
| --- | --- |
| wanted: stopped, drained or to be replaced | down; started at once if it is to be replaced |
| past a limit, or it asked to be replaced | started at once; see below |
| exit code 0 without being told to, after {early:g} s | started at once |
| exit code 78 (configuration) | fatal at once |
| exit code 74 (the database is away or unusable) | tried again each second, not counted |
| of a program: by itself, and its `restart` does not start it again | down |
| of a program: code 0 at its start, and it left processes running | fatal at once |
| anything else | a failure: backoff of min({most:g} s, {base:g} s · 2^(n−1)) × U(0.5, 1) |

n is the number of failures in a row; it starts again at 1 after a process that was ready for
{stable:g} s. {crashes} failures within {window:g} s, not counting such processes, are a crash loop
and make the slot fatal: it is retried every {retry:g} s, and at once after an operator's restart or
a reload. A worker that dies in a job, or before it has reported its result, is not counted: the
retries of the job bound such deaths. It only waits, and n starts again at 1 if it had run another
job to its end before. {recycles:g} processes within {recycle_window:g} s that asked to be replaced
or passed a limit before they did a job count as a failure too. When half of a pool (at least two
slots) fails in the same way before it is ready, one slot tries alone until it has been ready for
{trial:g} s.

Exits are counted by cause (`orpheus_process_exits_total`): {causes}.

## Several slots

A rolling restart, after a change of the configuration or SIGUSR2, replaces the outdated processes,
idle workers first. At most a quarter of a pool (at least one slot) is not ready at a time, so a
start that fails stops the rolling restart at the first slot. The API gets a replacement, which
takes its place once it is ready; the old API answers the requests it has, and ends. With
`jobs.watch` each worker gets one, too. A process that SIGKILL does not end is set aside: its leases
are freed, and another process starts in its slot.

`python docs/draw.py` generates this page from `TABLE` in `supervisor/policy/state_machine.py`; a
test checks that it is up to date. Edit the table, not this page.
"""


def slot_transitions(table: Mapping[tuple[SlotState, Trigger], SlotTransition]) -> list[str]:
    """Return a table of transitions of a slot."""
    lines = [
        "| state | trigger | next state | command | event |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (state, trigger), row in table.items():
        cells = (
            state.value,
            trigger.value,
            row.enters.value,
            row.command.value if row.command else "",
            f"`{row.event}`" if row.event else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def slots_page() -> str:
    """Return the page about slots."""
    lines = slot_transitions(TABLE)
    others = {key: row for key, row in PROGRAM_TABLE.items() if TABLE.get(key) != row}
    lines += [
        "",
        "A foreign [program](programs.md) differs in these:",
        "",
        *slot_transitions(others),
    ]
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


PAGES = {
    "docs/state_machine.md": jobs_page,
    "docs/slots.md": slots_page,
    "docs/stream.md": stream_page,
    "docs/settings.md": settings_page,
    "config/orpheus.schema.json": schema_file,
    "docs/api.md": api_page,
    "docs/adr/README.md": decisions_page,
    "docs/llms.txt": llms_text,  # the last: it reads the others
}


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    code = 0
    for name, page in PAGES.items():
        file = Path(__file__).parents[1] / name
        if "--check" not in sys.argv[1:]:
            file.write_text(page(), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != page():
            sys.stderr.write(f"{name} is out of date; run: python docs/draw.py\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
