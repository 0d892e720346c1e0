"""Release job types that are quarantined."""

import click

from orpheus.shared.operations.operator_actions import release_type
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason


@click.command()
@click.argument("type", type=Text(), shell_complete=live("types"))
@with_reason
@for_operator
def release(operator: Operator, type: str, reason: str | None) -> None:
    """Run jobs of TYPE again, which is quarantined because its jobs killed their workers.

    If they kill as many workers again, it is quarantined anew.
    """
    with operator.store() as store:
        release_type(store, operator.actor(reason), type)
    operator.answer({"name": type, "quarantine": None}, f"type {type}: released")
