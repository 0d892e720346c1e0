"""The database: check the file, verify its content, copy it, move it."""

from collections.abc import Sequence
from pathlib import Path

import click

from orpheus.shared.errors import ExitCode
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.move import move, reopen
from orpheus.supervisor.cli.operator import Operator, for_operator

_RESTORE = (
    "orpheus: the file is damaged: stop Orpheus and put a copy that `orpheus db backup` made in "
    'its place; docs/operations.md says how, under "Backup and restore"'
)


@click.group()
def db() -> None:
    """Check, verify, back up or move the database; to move it, stop Orpheus first."""


db.add_command(move)
db.add_command(reopen)


@db.command()
@for_operator
def check(operator: Operator) -> int:
    """Check the file for damage; exit 74 if there is any."""
    with operator.store() as store:
        problems = store.maintenance.check()
    _warn_if_moved(store)
    code = _print_problems(operator, problems, "no damage found", ExitCode.DATABASE)
    if problems:
        click.echo(_RESTORE, err=True)
    return code


@db.command()
@for_operator
def verify(operator: Operator) -> int:
    """Check that jobs, attempts, events and counts agree; exit 1 if they do not."""
    with operator.store() as store:
        problems = store.maintenance.verify()
    _warn_if_moved(store)
    return _print_problems(operator, problems, "every invariant holds", ExitCode.NO)


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@for_operator
def backup(operator: Operator, file: Path) -> None:
    """Copy the database as it is now to FILE, which must not exist yet."""
    with operator.store() as store:
        store.maintenance.backup(file)
    _warn_if_moved(store)
    name, size_bytes = click.format_filename(file), file.stat().st_size
    operator.answer({"file": name, "bytes": size_bytes}, f"{name}: {size_bytes:,} bytes")


def _warn_if_moved(store: Store) -> None:
    """Warn on stderr if the database was moved away: what happens now is in another."""
    if store.moves.says:
        click.echo(f"orpheus: {store.moves.says}", err=True)


def _print_problems(
    operator: Operator, problems: Sequence[str], all_well: str, exit_code: ExitCode
) -> int:
    data = {"ok": not problems, "problems": problems}
    operator.answer(data, "\n".join(problems) or all_well)
    return exit_code if problems else ExitCode.OK
