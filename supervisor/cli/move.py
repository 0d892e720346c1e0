"""Move a database to another one; open a database again that was moved away."""

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from orpheus.config.settings import Settings
from orpheus.shared.errors import AlreadyRunning, TransitionRefused
from orpheus.shared.operations.moving import End, Tell
from orpheus.shared.operations.moving import move as move_database
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.storage import Store, open_store, shown_url, state_files
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import count, print_json, print_table
from orpheus.supervisor.startup import lock_database


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@for_operator
def move(operator: Operator, source: str, target: str) -> None:
    """Move everything from the database FROM to the empty database TO.

    Both are URLs, as in database.url: sqlite:///FILE or postgresql://USER@HOST/DATABASE. Stop
    Orpheus first. FROM is only read, then closed for changes. If the command is killed,
    run it again: it continues where it stopped.
    """
    name_program("move")
    settings = operator.settings()
    with _locked(settings, source, target), contextlib.ExitStack() as opened:
        left = opened.enter_context(_opened(settings, source, create=False))
        arrived = opened.enter_context(_opened(settings, target, create=True))
        ends = End(left, shown_url(source)), End(arrived, shown_url(target))
        counts = move_database(*ends, _teller(operator))
    if operator.as_json:
        print_json({"from": ends[0].name, "to": ends[1].name, "rows": counts})
        return
    if not sys.stdout.isatty():
        print_table(("TABLE", "ROWS"), ((name, count(rows)) for name, rows in counts.items()))
    click.echo(f"Moved and verified. Now set database.url to {ends[1].name}.")


@click.command()
@for_operator
def reopen(operator: Operator) -> None:
    """Reopen a database that was moved, in the state that it had then.

    Changes made in the other database since then are not in this one.
    """
    settings = operator.settings()
    url = settings.database.url
    with _locked(settings, url), _opened(settings, url, create=False) as store:
        if store.moves.mark() is None:
            raise TransitionRefused(f"{shown_url(url)} is open: it was not moved")
        store.moves.refuse_if_moved(starts=False)
        store.moves.reopen()
    operator.answer({"reopened": shown_url(url)}, f"{shown_url(url)} can be used again")


def _opened(settings: Settings, url: str, *, create: bool) -> "contextlib.closing[Store]":
    store = open_store(
        url,
        create=create,
        state_dir=settings.database.state_dir,
        listen_url=settings.database.listen_url,
        to_move=True,
    )
    return contextlib.closing(store)


@contextlib.contextmanager
def _locked(settings: Settings, *urls: str) -> Iterator[None]:
    """Let no supervisor of this host start on these databases meanwhile. Raises AlreadyRunning."""
    states = {
        state.lock: state
        for state in (state_files(url, settings.database.state_dir) for url in urls)
    }
    with contextlib.ExitStack() as held:
        for state in states.values():
            try:
                held.callback(os.close, lock_database(state))
            except AlreadyRunning:
                raise AlreadyRunning(
                    f"Orpheus is running on {state.database}, or is being moved (another process "
                    f"holds {state.lock}): stop it first, which lets running jobs end"
                ) from None
        yield


def _teller(operator: Operator) -> Tell:
    """Return what draws a line for each table on a terminal, and nothing elsewhere."""

    def tell(table: str, arrived: int, of: int) -> None:
        click.echo(f"\r{table:<20}{arrived:>14,} of {of:,}", nl=arrived == of)

    def be_silent(*_: object) -> None:
        pass

    return tell if sys.stdout.isatty() and not operator.as_json else be_silent
