"""The table that an application's outbox is."""

import click

from orpheus.config.settings import Settings
from orpheus.shared.outbox.table import DATABASES, DEFAULT_TABLE, create_table
from orpheus.supervisor.cli.operator import Operator, for_operator


@click.group()
def outbox() -> None:
    """Print the table of an outbox in an application's database."""


@outbox.command()
@click.argument("database", type=click.Choice(DATABASES))
@click.option(
    "--table",
    metavar="NAME",
    help=f"The table's name; without it, that of the configured outbox, else {DEFAULT_TABLE}.",
)
@for_operator
def schema(operator: Operator, database: str, table: str | None) -> None:
    """Print the SQL that makes the table, to be run once in the application's database."""
    name = _configured_table(operator.settings(), database) if table is None else table
    try:
        sql = create_table(database, name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--table") from None
    operator.answer({"database": database, "table": name, "sql": sql}, sql.rstrip("\n"))


def _configured_table(settings: Settings, database: str) -> str:
    """Return the table of the outboxes in databases of this kind. Raises UsageError for several."""
    outboxes = [one for one in settings.outboxes if _kind_of(one.url) == database]
    tables = list(dict.fromkeys(one.table for one in outboxes))
    if len(tables) > 1:
        named = ", ".join(f"{one.table} ({one.name})" for one in outboxes)
        raise click.UsageError(f"the outboxes have different tables: choose --table: {named}")
    return tables[0] if tables else DEFAULT_TABLE


def _kind_of(url: str) -> str:
    return "sqlite" if url.startswith("sqlite:") else "postgresql"
