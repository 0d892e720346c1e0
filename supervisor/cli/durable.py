"""`orpheus signal`, and the steps of a durable function in `orpheus show`."""

import json

import click

from orpheus.shared.domain.hidden import Rules
from orpheus.shared.domain.steps import Step, StepState, new_signal
from orpheus.shared.domain.words import plural
from orpheus.shared.errors import InvalidJob
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.steps import shown_result, signal_of
from orpheus.shared.text import first_line
from orpheus.supervisor.cli.operator import Operator, Text, for_operator
from orpheus.supervisor.cli.output import Column, ago, duration, local_time, print_table
from orpheus.supervisor.cli.payload import json_of

_LONGEST_RESULT = 300
_OF_STEPS = (
    Column("STEP", least=12),
    Column("KIND", 2),
    "STATE",
    Column("AT", 1),
    Column("TOOK", 3),
    Column("ATTEMPT", 4),
    Column("RESULT", least=20),
)


@click.command()
@click.argument("name", type=Text())
@click.argument("key", type=Text())
@click.argument("payload", type=Text(), metavar="[JSON]", default="null")
@click.option("--replace", is_flag=True, help="Correct a signal that was sent before.")
@for_operator
def signal(operator: Operator, name: str, key: str, payload: str, replace: bool) -> None:
    """Send the signal NAME of KEY to the durable functions that wait for it."""
    try:
        new = new_signal(name, key, json.dumps(json_of(payload), ensure_ascii=False))
    except InvalidJob as error:
        raise click.UsageError(str(error)) from None
    with operator.store() as store:
        is_awaited = store.signals.is_awaited(name, key)
        sent, is_new = store.signals.send(new._replace(replaces=replace))
        shown = signal_of(sent, store.hidden.rules(), is_new=is_new)
    words = f"the signal {name} of key {key} is sent"
    if is_new and not is_awaited:
        words += "; no job waits for it yet"
    if replace and not is_new:
        words = f"{words} instead of the earlier one"
    elif not is_new:
        payload = encode(shown.payload).decode()
        words = f"it was sent before, at {local_time(sent.at_ms)}, with {payload}"
    operator.answer(shown, words)


def print_steps(steps: list[Step], rules: Rules) -> None:
    """Print what a durable function has kept."""
    rows = [
        (
            step.name,
            step.kind,
            step.state.replace("_", " "),
            ago(step.at_ms),
            duration(step.took_ms / 1000) if step.took_ms else None,
            step.attempt,
            _result_of(step, rules),
        )
        for step in steps
    ]
    print_table(_OF_STEPS, rows)


def _result_of(step: Step, rules: Rules) -> str | None:
    """Return the result, or what a wait waits for."""
    if (result := shown_result(step, rules)) is not None:
        return first_line(result, _LONGEST_RESULT)
    if step.children:
        return plural(len(step.children), "job")
    if step.state is not StepState.WAITING:
        return None if step.until_ms is None else f"until {local_time(step.until_ms)}"
    until = "" if step.until_ms is None else f" until {local_time(step.until_ms)}"
    return f"for the signal {step.signal} of key {step.key}{until}"
