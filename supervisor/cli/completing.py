"""What a shell completes: commands, and from the database ids, slots, queues and types."""

import contextlib
import io
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)

from orpheus.config.options import config_options
from orpheus.shared.text import printable

if TYPE_CHECKING:
    from orpheus.shared.storage import Store

_LONGEST_S = 1.0
"""A person waits: a locked database, or a server that is silent, completes nothing."""
_MOST_JOBS = 50
_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
_EPILOG = """\b
bash, in ~/.bashrc:
  eval "$(orpheus completion bash)"
zsh, in ~/.zshrc, after compinit:
  eval "$(orpheus completion zsh)"
fish, in ~/.config/fish/config.fish:
  orpheus completion fish | source
"""


@click.command(epilog=_EPILOG)
@config_options
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str, **_of_every_command: object) -> None:
    """Print the script that lets a shell complete commands and ids."""
    command = click.get_current_context().find_root().command
    completer = _SHELLS[shell](command, {}, "orpheus", "_ORPHEUS_COMPLETE")
    # Not `completer.source()`: bash's starts another bash to ask for its version.
    click.echo(completer.source_template % completer.source_vars())


def live(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return the completion of a parameter from the database, by names in `_KINDS`."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        from orpheus.supervisor.cli.operator import Operator, given_to  # noqa: PLC0415 - not for --help

        try:
            with _for_a_moment(), Operator(*given_to(context)).opened() as (store, _handover):
                pairs = [pair for kind in kinds for pair in _KINDS[kind](store)]
        except Exception:  # noqa: BLE001 - a shell shows it in the middle of what is typed
            return []
        return [
            CompletionItem(name, help=printable(help))
            for name, help in pairs
            if name.startswith(begun) and name.isprintable()
        ]

    return complete


@contextlib.contextmanager
def _for_a_moment() -> Iterator[None]:
    """Raise TimeoutError in a block that takes too long, and hide its warnings."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_S)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _jobs(store: "Store") -> Iterator[tuple[str, str]]:
    from orpheus.shared.domain.job_filter import JobFilter  # noqa: PLC0415 - only to complete

    for job in store.jobs.page(JobFilter(), _MOST_JOBS):
        yield str(job.id), f"{job.status} {job.type}"


_KINDS: "Mapping[str, Callable[[Store], Iterable[tuple[str, str]]]]" = {
    "jobs": _jobs,
    "slots": lambda store: ((slot.slot, slot.state) for slot in store.processes.slots()),
    "queues": lambda store: ((name, "") for name in sorted(store.stats.counts_by_queue())),
    "types": lambda store: (
        (row.name, row.description.partition("\n")[0]) for row in store.types.all()
    ),
}
"""What can be completed, by its name: pairs of a name and what the shell shows beside it."""
