"""Puts reasons into words: one table, code -> text and the command that mends it. Pure.

A text is a format string over the data of a reason, or a function of that data. Job texts are
clauses: "queue mail is paused by cli:ada". Concern texts are sentences.
"""

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

import msgspec

from orpheus.shared.domain.jobs import JobError, Status
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import rate_text
from orpheus.shared.domain.steps import MOST_WAITS_COUNTED
from orpheus.shared.domain.words import duration, jobs_wait, named, noun_for, plural
from orpheus.shared.explain.reasons import Reason
from orpheus.shared.messages.queues import Code
from orpheus.shared.messages.status import ConcernCode
from orpheus.shared.storage import (
    LATELY_MINUTES,
    MOST_NAMED,
    Pause,
    Standstill,
)
from orpheus.shared.text import first_line

_Data = Mapping[str, Any]
_Text = str | Callable[[_Data], str]

NOTHING_RUNS = "Orpheus is not running; start it with `orpheus`"


class Sentence(msgspec.Struct, frozen=True):
    """What is said of a code."""

    text: _Text
    command: _Text = ""


def text_of(reason: Reason) -> str:
    """Return the text of a reason: a clause about a job or queue, or a sentence about a system."""
    text = _said(SENTENCES[reason.code].text, reason.data)
    return text if isinstance(reason.code, Code) else _sentence(_with_queues(text, reason.data))


def command_of(reason: Reason) -> str | None:
    """Return the command that mends it, or tells more; None: there is none."""
    return _said(SENTENCES[reason.code].command, reason.data) or None


def headline(concerns: int, known: int, *, workers: int, ready: int, has_jobs: bool) -> str:
    """Return the state of a system in a sentence.

    `known`: acknowledged problems; `concerns`: the others. `workers`: how many should run.
    """
    if concerns:
        needs = "problem needs" if concerns == 1 else "problems need"
        return f"{'One' if concerns == 1 else concerns} {needs} your attention."
    if known:
        return (
            "The only problem is acknowledged." if known == 1 else "All problems are acknowledged."
        )
    if not workers:
        return "No worker is running."
    if ready < workers:
        return "Some workers are not ready." if ready else "Starting up."
    return "All is well." if has_jobs else "Ready for the first job."


def nothing_runs(moved: str) -> str:
    """Return that no process of Orpheus runs; `moved`: where its database was moved to."""
    return f"Orpheus is not running: {moved}" if moved else NOTHING_RUNS


class _Words(Formatter):
    """Formats fields: `{waited_s:span}`, `{slots:named}`, `{status:spaced}`, `{why:why}`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec in _FORMS:
            return _FORMS[format_spec](value)
        return str(super().format_field(value, format_spec))


_FORMS: dict[str, Callable[[Any], str]] = {
    "span": duration,
    "named": named,
    "spaced": lambda state: str(state).replace("_", " "),
    "why": lambda why: f": {why}" if why else "",
    "rate": rate_text,
}
_WORDS = _Words()


def _said(text: _Text, data: _Data) -> str:
    return _WORDS.vformat(text, (), data) if isinstance(text, str) else text(data)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _with_queues(text: str, data: _Data) -> str:
    """Add how many jobs wait for this reason, and in which queues."""
    if "queues" not in data:
        return text
    oldest_s = data["oldest_s"]
    since = f", the oldest for {duration(oldest_s)}" if oldest_s >= 1 else ""
    text = text[:1].upper() + text[1:]
    names = data["queues"]
    where = f" in queue{'s' * (len(names) > 1)} {named(names)}"
    if "queue" in data and len(names) == 1:
        where = ""  # the text names it
    return f"{text}; {jobs_wait(data['waiting'])}{where}{since}"


# Jobs


def _ended(data: _Data) -> str:
    if data["status"] is Status.DONE:
        return "it is done"
    error = data["error"]
    if data["is_cancelled"]:
        how = how_cancelled(data["cancelled"], error)
        told = f" {how}" if data["cancelled"] else f"; {how}" if how else ""
        return f"it was cancelled{told} (retry to run it again)"
    told = first_line(f": {error.type}: {error.message}") if error else ""
    how = "failed" if data["status"] is Status.FAILED else "was cancelled"
    return f"it {how}{told} (retry to run it again)"


def how_cancelled(cancelled: Pause | None, error: JobError | None) -> str:
    """Return who cancelled a job, and its last error, which did not end it."""
    parts = [cancelled.told()] if cancelled else []
    if error is not None:
        parts.append(first_line(f"last error: {error.type}: {error.message}"))
    return "; ".join(parts)


def _gone(data: _Data) -> str:
    then = f": {NOTHING_RUNS}" if data["nothing_runs"] else "; the job will be taken back"
    return f"its worker {data['worker']} is gone{then}"


def _job_silent(data: _Data) -> str:
    return f"no heartbeat from its worker {data['worker']} for {_silence(data)}"


def _silence(data: _Data) -> str:
    then = f"; it counts as dead after {duration(data['dead_after_s'])}"
    return duration(data["for_s"]) + (then if data["for_s"] < data["dead_after_s"] else "")


def _prefetched(data: _Data) -> str:
    jobs = data["jobs"]
    more = f" and {len(jobs) - MOST_NAMED:,} more" if len(jobs) > MOST_NAMED else ""
    return f"{data['worker']} will run it after {', '.join(jobs[:MOST_NAMED])}{more}"


def _dependency(data: _Data) -> str:
    if "more" in data:
        return f"it depends on {plural(data['more'], 'more job')}"
    return _WORDS.format("it depends on job {id} ({type}, {status:spaced})", **data)


def _quarantined(data: _Data) -> str:
    if data["is_released"]:
        return f"{data['type']} was just released; its jobs start a few at a time"
    return f"{data['type']} is quarantined {data['evidence']}"


def _no_worker(data: _Data) -> str:
    if data["nothing_runs"]:
        return nothing_runs(data["moved"])
    if "slot" not in data:
        return f"pool {data['pool']} has no workers"
    why = f"{data['slot']} is {'in ' * (data['state'] is SlotState.BACKOFF)}{data['state']}"
    if data["silent_s"]:
        why = f"no heartbeat from {data['slot']} for {duration(data['silent_s'])}"
    elif data["why"]:
        why += f" ({data['why']})"
    why += f", {data['more']:,} more are not ready" if data["more"] else ""
    return f"pool {data['pool']} has no ready worker: {why}"


def _no_worker_command(data: _Data) -> str:
    if data["nothing_runs"]:
        return ""  # its text has the command
    return "orpheus workers" if "slot" in data else f"orpheus scale {data['pool']} 1"


def _busy(data: _Data) -> str:
    alone = ""
    if data["alone"]:
        run = "runs" if len(data["alone"]) == 1 else "each run"
        alone = f"; {named(data['alone'])} {run} one job alone after a crash"
    away = data["away"]
    away = f"; {named(away)} {'is' if len(away) == 1 else 'are'} not ready" if away else ""
    return f"pool {data['pool']} is full ({plural(data['places'], 'place')}{alone}{away})"


def _limits(data: _Data) -> str:
    most = f"{data['most']:,} running" if data["most"] else ""
    return " and ".join(filter(None, (most, rate_text(data.get("rate")))))


def _late(data: _Data) -> str:
    if "queue" in data:
        return f"Queue {data['queue']} is delayed by its limit ({_limits(data)})"
    return f"{noun_for(len(data['pools']), 'pool')} {named(data['pools'])} cannot keep up"


# The system


def _no_writes(data: _Data) -> str:
    standstill: Standstill = data["standstill"]
    if standstill.why:
        shown = "No job can start or finish, and the process states may be out of date"
        return f"{_sentence(f'The database cannot be written: {standstill.why}')} {shown}"
    who = "Another process"
    if standstill.pid is not None:
        who = f"Process {standstill.pid}"
        who += f" ({standstill.command})" if standstill.command else ""
    since = ""
    if standstill.for_s is not None:
        since = f"; nothing has been written for {duration(standstill.for_s)}"
    return f"{who} holds the database's write lock{since}"


def _no_writes_command(data: _Data) -> str:
    pid = data["standstill"].pid
    return "" if pid is None else f"ps -fp {pid}"


def _stopping(data: _Data) -> str:
    why = f" ({data['why']})" if data["why"] else ""
    left_s = data["left_s"]
    if left_s is None:
        end = ""
    elif left_s < 0:
        end = f"It should have ended {duration(round(-left_s))} ago. "
    else:
        end = f"It will end within {duration(round(left_s))}. "
    who = "Orpheus" if data["slot"] == "supervisor" else f"The {data['slot']}"
    return f"{who} is stopping{why}. {end}Nothing will be started or restarted"


def _nothing(data: _Data) -> str:
    gone = "" if data["gone"] is None else f"The supervisor (process {data['gone']}) is gone"
    if left := data["left"]:
        runs = "runs" if len(left) == 1 else "run"
        rest = f"{named(left)} {runs} without a supervisor, so nothing will be restarted"
        return f"{gone}; {rest}" if gone else rest
    why = data["moved"] or gone[:1].lower() + gone[1:]
    return f"Orpheus is not running: {why}" if why else "Orpheus is not running"


_STATES = {SlotState.FATAL: "failed (fatal)", SlotState.STUCK: "cannot be killed (stuck)"}


def _slot(data: _Data) -> str:
    what = _STATES.get(data["state"], "is degraded" if len(data["slots"]) == 1 else "are degraded")
    return f"{named(data['slots'])} {what}" + (f": {data['why']}" if data["why"] else "")


def _slot_command(data: _Data) -> str:
    if data["is_program"] and data["state"] is SlotState.FATAL:
        return f"orpheus logs {data['targets']}"  # started again, it would end the same way
    return f"orpheus restart {data['targets']}" if data["state"] in _STATES else ""


def _restless(data: _Data) -> str:
    job = f"job {data['job']} of type {data['type']}" if data["type"] else ""
    last = ", ".join(filter(None, (job, data["why"])))
    told = f" (last: {last})" if last else ""
    return f"{data['name']} failed {data['times']:,} times in the last 10 min{told}"


def _restless_command(data: _Data) -> str:
    is_program = data["is_program"]
    return f"orpheus logs {data['target']}" if is_program else f"orpheus workers {data['slot']}"


def _silent(data: _Data) -> str:
    if data["role"] is Role.SUPERVISOR:
        then = "; nothing can be started, restarted or stopped"
        return f"No heartbeat from the {data['slot']} for {duration(data['for_s'])}{then}"
    return f"No heartbeat from {data['slot']} for {_silence(data)}"


def _silent_command(data: _Data) -> str:
    has_stack = data["role"] in (Role.WORKER, Role.API)
    return f"orpheus stack {data['target']}" if has_stack else "orpheus workers"


def _failing(data: _Data) -> str:
    jobs = data["type"] or "types that are not described"
    ratio = f"{data['failed']:,} of {data['of']:,}"
    ratio = f"all {ratio.partition(' of ')[2]}" if data["failed"] == data["of"] else ratio
    lately = "hour" if data["hour"] else f"{LATELY_MINUTES} min"
    return f"{jobs}: {ratio} jobs failed in the last {lately}"


def _waits_long(data: _Data) -> str:
    wait = "Job {job_id} ({type}) has waited {for_s:span} for the signal {signal} of key {key}"
    others = data["jobs"] - 1
    least = "at least " if data["jobs"] == MOST_WAITS_COUNTED else ""
    more = f"; {least}{others:,} more {'does' if others == 1 else 'do'}" if others else ""
    return _WORDS.format(wait, **data) + more


SENTENCES: Mapping[str, Sentence] = {
    Code.ENDED: Sentence(_ended),
    Code.WORKER_GONE: Sentence(_gone),
    Code.WORKER_SILENT: Sentence(_job_silent, "orpheus stack {worker}"),
    Code.PREFETCHED: Sentence(_prefetched),
    Code.DEPENDENCY: Sentence(_dependency),
    Code.SIGNAL: Sentence(
        "it waits for the signal {signal} of key {key}", "orpheus signal {signal} {key}"
    ),
    Code.CHILDREN: Sentence(
        lambda data: (
            f"it waits for {data['left']:,} of {data['all']:,} "
            + ("child" if data["all"] == 1 else "children")
        )
    ),
    Code.SLEEP: Sentence("it sleeps ({name})"),
    Code.RUN_AT: Sentence("it is not due"),
    Code.BACKOFF: Sentence("waiting to retry after attempt {attempt} ({outcome:spaced})"),
    Code.SNOOZED: Sentence("it is snoozed"),
    Code.QUARANTINED: Sentence(
        _quarantined,
        lambda data: "" if data["is_released"] else f"orpheus release {data['type']}",
    ),
    Code.NEWER_CODE: Sentence("no ready worker has the {code} code of {type}"),
    Code.QUEUE_PAUSED: Sentence(
        "queue {queue} is paused by {who}{why:why}", "orpheus resume {queue}"
    ),
    Code.NO_POOL: Sentence("no pool serves queue {queue}"),
    Code.NO_WORKER: Sentence(_no_worker, _no_worker_command),
    Code.QUEUE_LIMIT: Sentence(lambda data: f"{data['whose']} is at its limit ({_limits(data)})"),
    Code.QUEUE_RATE: Sentence("{whose} is at its rate limit ({rate:rate})"),
    Code.KEY_LIMIT: Sentence("{whose} is at its limit ({most:,} running)"),
    Code.KEY_RATE: Sentence("{whose} is at its rate limit ({rate:rate})"),
    Code.RUNS_ALONE: Sentence(
        "it crashed a worker, so it must run alone, and no worker of pool {pool} is idle"
    ),
    Code.WORKERS_BUSY: Sentence(_busy),
    ConcernCode.NO_WRITES: Sentence(_no_writes, _no_writes_command),
    ConcernCode.STOPPING: Sentence(_stopping),
    ConcernCode.NOTHING_RUNS: Sentence(
        _nothing, lambda data: "" if data["moved"] and not data["left"] else "orpheus"
    ),
    ConcernCode.CONFIGURATION_REJECTED: Sentence(
        "The newest configuration or job code is not in force: {why}",
        "orpheus config check --modules",
    ),
    ConcernCode.NO_WORKER_READY: Sentence(
        lambda data: (
            f"No worker is ready; {jobs_wait(data['waiting'])}, "
            f"the oldest for {duration(data['oldest_s'])}"
        ),
        "orpheus workers",
    ),
    ConcernCode.SLOT: Sentence(_slot, _slot_command),
    ConcernCode.RESTLESS: Sentence(_restless, _restless_command),
    ConcernCode.SILENT: Sentence(_silent, _silent_command),
    ConcernCode.TYPE_QUARANTINED: Sentence(
        "{type} is quarantined {evidence}", "orpheus release {type}"
    ),
    ConcernCode.TYPE_FAILING: Sentence(_failing, "orpheus errors"),
    ConcernCode.QUEUE_LATE: Sentence(_late, "orpheus queues"),
    ConcernCode.SCHEDULE_LATE: Sentence(
        "Schedule {schedule} is {late_s:span} late", "orpheus schedules"
    ),
    ConcernCode.WAITS_LONG: Sentence(_waits_long, "orpheus why {job_id}"),
    ConcernCode.RETENTION_LATE: Sentence(
        "Cleanup is behind: the oldest expired job or event is {lag_s:span} overdue"
    ),
    ConcernCode.LITTLE_SPACE: Sentence("Only {mb:,} MB of disk space left for {database}"),
}
"""What is said of each code. A concern that has the code of a reason says the same."""
