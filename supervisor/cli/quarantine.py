"""Release job types that are quarantined."""

import click

from orpheus.shared.errors import ExitCode
from orpheus.shared.operations.operator_actions import release_type
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json


@click.command()
@click.argument("type", type=Text(), shell_complete=live("types"))
@with_reason
@for_operator
def release(operator: Operator, type: str, reason: str | None) -> int:
    """Run jobs of TYPE again, which is quarantined because its jobs killed their workers.

    If they kill as many workers again, it is quarantined anew.
    """
    with operator.store() as store:
        release_type(store, operator.actor(reason), type)
    if operator.as_json:
        print_json({"name": type, "quarantine": None})
    else:
        click.echo(f"type {type}: released")
    return ExitCode.OK
