"""The table that an application's outbox is."""

import click

from orpheus.shared.outbox.table import DATABASES, DEFAULT_TABLE, create_table
from orpheus.supervisor.cli.operator import Operator, for_operator


@click.group()
def outbox() -> None:
    """Print the SQL of an application's outbox table."""


@outbox.command()
@click.argument("database", type=click.Choice(DATABASES))
@click.option("--table", metavar="NAME", default=DEFAULT_TABLE, show_default=True)
@for_operator
def schema(operator: Operator, database: str, table: str) -> None:
    """Print the SQL that makes the table, to be run once in the application's database."""
    try:
        sql = create_table(database, table)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--table") from None
    operator.answer({"database": database, "table": table, "sql": sql}, sql.rstrip("\n"))
