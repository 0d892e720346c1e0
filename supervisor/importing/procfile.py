"""Procfile -> a `[[programs]]` entry for each process type."""

import re

from orpheus.shared.domain.programs import parse_env_file
from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left, SourceFile
from orpheus.supervisor.importing.names import DEFAULT_POOLS, UniqueNames, as_name, renamed
from orpheus.supervisor.importing.shell import NEEDS_FIRST_LINE, keep_running

FIRST_PORT, PORT_STEP = 5000, 100
"""The ports that foreman gives: the first process type has 5000, the next one 5100."""
_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")
_DIFFERENCES = (
    "foreman ends all processes when one ends. Orpheus restarts the one that ended.",
    "How many of each: instances, instead of foreman start -m web=2.",
    NEEDS_FIRST_LINE,
)


def convert(source: SourceFile, folder: str = "", env_file: SourceFile | None = None) -> Imported:
    """Return a program for each process type. It runs in `folder`; "": where Orpheus runs.

    `env_file`: the file `.env` beside the Procfile.
    """
    items: list[Entry | Left] = []
    names = UniqueNames(*DEFAULT_POOLS)
    variables: dict[str, str] = {}
    path = ""
    if env_file is not None:
        try:
            variables, path = parse_env_file(env_file.text), env_file.name
        except ValueError as problem:
            instead = "correct it, then write env_file in each entry"
            position = FileLine(env_file.name, 1)
            items.append(Left(position, env_file.name, str(problem), instead))
    port = FIRST_PORT
    for number, text in enumerate(source.text.split("\n"), 1):
        line, position = text.strip(), FileLine(source.name, number)
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or "\0" in line:
            why = "it is not a name, a colon and a command"
            items.append(Left(position, line, why, "correct the line, and import again"))
        elif found["name"] == "release":
            why = "it is run once for each release, and a program stays"
            instead = "run it when you deploy, before Orpheus is reloaded"
            items.append(Left(position, line, why, instead))
        else:
            name = names.unique(as_name(found["name"]))
            items.append(_entry(position, found, name, folder, path, port, variables))
            port += PORT_STEP
    return Imported(items, _DIFFERENCES)


def _entry(
    position: FileLine,
    found: re.Match[str],
    name: str,
    folder: str,
    env_file: str,
    port: int,
    variables: dict[str, str],
) -> Entry:
    command = found["command"]
    run = keep_running(command, folder)
    left, env = [], dict(run.env)
    if "PORT" not in variables:  # foreman sets it for each, and many read it without being told
        env.setdefault("PORT", str(port))
    elif "PORT" not in env and port != FIRST_PORT:
        why = f"foreman would add {port - FIRST_PORT} to the PORT of .env for it"
        left.append(Left(position, "PORT", why, "if it reads PORT, write the number into its env"))
    left += renamed(position, found["name"], name)
    if run.is_behind_shell:
        why = "a shell stays its parent: the stop signal reaches the shell, and the rest is killed"
        left.append(Left(position, command, why, "put exec before the command that stays"))
    if "{instance}" in command:
        why = "Orpheus puts the number of the slot in its place"
        left.append(Left(position, "{instance}", why, "see whether that is what is meant"))
    values = {"name": name, "argv": run.argv, "cwd": run.cwd, "env": env, "env_file": env_file}
    values = {key: value for key, value in values.items() if value}
    return Entry("programs", values, found[0], (position,), (), tuple(left))
