"""`orpheus completion`: the script by which a shell completes commands, ids and names."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from orpheus.config.options import config_options

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
    """Print what completes commands, ids, slots, queues and types in a shell."""
    command = click.get_current_context().find_root().command
    completer = _SHELLS[shell](command, {}, "orpheus", "_ORPHEUS_COMPLETE")
    # Not `completer.source()`: bash's starts another bash to ask for its version.
    click.echo(completer.source_template % completer.source_vars())
