"""`orpheus acknowledge`: say that somebody knows of a problem, so it asks for no attention."""

from typing import Any

import click
import msgspec

from orpheus.shared.durations import parse_duration_s
from orpheus.shared.explain.answers import acknowledgement_of, verdict_of
from orpheus.shared.messages.status import ConcernCode
from orpheus.shared.operations import operator_actions
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import local_time
from orpheus.supervisor.cli.workers import read_facts, read_workers


class Duration(click.ParamType[float]):
    """A span of time in seconds, more than zero."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds. Raises BadParameter."""
        try:
            seconds = parse_duration_s(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return seconds or self.fail("must be more than zero", param, ctx)


@click.command()
@click.argument("code", type=click.Choice([*map(str, ConcernCode)]), metavar="CODE")
@click.argument("subject", type=Text(), required=False)
@click.option(
    "--for", "for_s", type=Duration(), default="4h", show_default=True, help="For how long."
)
@click.option("--undo", is_flag=True, help="Ask for attention again.")
@with_reason
@for_operator
def acknowledge(
    operator: Operator, code: str, subject: str | None, for_s: float, undo: bool, reason: str | None
) -> None:
    """Say that you know of a problem: until then, or until it gets worse, it is no news.

    `orpheus status` shows each CODE. SUBJECT, such as a slot or a type, is needed if several
    problems have the same code.
    """
    with operator.opened() as (store, handover):
        facts = read_facts(store, handover, read_workers(store, handover))
        if undo:
            known = [name for of, name in store.acknowledgements.standing() if of == code]
            name = known[0] if subject is None and len(known) == 1 else subject or ""
            operator_actions.unacknowledge(store, operator.actor(reason), code, name)
            text = "not acknowledged any more"
        else:
            actor = operator.actor(reason or "no reason given")
            row = acknowledgement_of(store, facts, code, subject, actor, for_s)
            operator_actions.acknowledge(store, actor, row)
            name, text = row.subject, f"acknowledged until {local_time(row.until_ms)}"
        verdict = verdict_of(store, facts)
    operator.answer(msgspec.to_builtins(verdict), f"{code} {name}".rstrip() + f": {text}")
