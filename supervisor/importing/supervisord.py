"""supervisord.conf -> a `[[programs]]` entry for each `[program:…]`."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from configparser import RawConfigParser
from typing import Any

from orpheus.supervisor.importing.command import UniqueNames, as_name
from orpheus.supervisor.importing.imported import Entry, Imported, Left, SourceFile

_MOST_PROCESSES = 1000
_EXPANSION = re.compile(r"%(?:%|\((\w+)\)([-+ 0-9.]*[sd]))|%")
_NOTES = (
    "Orpheus starts all programs at once; those that need others name them in after = [].",
    "What they write is kept in rotating files: orpheus logs SLOT.",
)
_NEVER = {"user", "process_name", "numprocs", "command", "environment"}


def convert(source: SourceFile, user: str) -> Imported:
    """Return a program for each section, in their order. `user` runs Orpheus.

    Raises configparser.Error for a file that supervisord could not read.
    """
    parser = RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(source.text, source.name)
    names = UniqueNames("default")  # the pool that is there without any configuration
    sections = {
        name: {key: (value or "").strip() for key, value in parser.items(name)}
        for name in parser.sections()
    }
    common_env = sections.get("supervisord", {}).get("environment", "")
    items: list[Entry | Left] = []
    for name, values in sections.items():
        if name.startswith("program:"):
            try:
                items += _program(source, name, values, common_env, user, names)
            except ValueError as problem:
                items.append(Left(source.name, f"[{name}]", str(problem)))
        elif name == "supervisord":
            items += [
                Left(source.name, f"{key}={value}")
                for key, value in values.items()
                if key != "environment"
            ]
        elif name == "include":
            items.append(Left(source.name, "[include]", "import each of its files"))
        else:
            items.append(Left(source.name, f"[{name}]"))
    return Imported(items, _NOTES)


def _program(
    source: SourceFile,
    section: str,
    given: Mapping[str, str],
    common_env: str,
    user: str,
    names: UniqueNames,
) -> Iterator[Entry | Left]:
    """Yield the entry of a program, and before it what is left. Raises ValueError."""
    values = {"autorestart": "unexpected", **given}
    settings: dict[str, Any] = {}
    for key, value in values.items():
        made = _CONVERTERS[key](value) if key in _CONVERTERS else None
        if made is not None:
            settings |= made
        elif key not in _NEVER or (key == "user" and value != user):
            yield Left(f"{source.name} [{section}]", f"{key}={value}")
    count = int(values.get("numprocs", 1))
    if not 1 <= count <= _MOST_PROCESSES:
        raise ValueError(f"numprocs={count} is not 1 to {_MOST_PROCESSES}")
    short_name = section.partition(":")[2].strip()
    known: dict[str, str | int] = {"program_name": short_name, "here": source.folder}
    texts = (values.get("command", ""), settings.get("cwd", ""), values.get("environment", ""))
    command, cwd, own_env = (_filled(text, known) for text in texts)
    argv = shlex.split(command)
    if not argv or not argv[0]:
        raise ValueError("command is empty")
    env = _pairs(_filled(common_env, known)) | _pairs(own_env)
    entry: dict[str, Any] = {"name": names.unique(as_name(short_name)), "argv": argv}
    entry |= {"instances": count} if count > 1 else {}
    entry |= settings | ({"cwd": cwd} if cwd else {}) | ({"env": env} if env else {})
    yield Entry("programs", entry, f"{source.name}: [{section}]")


def _filled(value: str, known: Mapping[str, str | int]) -> str:
    """Return a value with each `%(name)s`. Raises ValueError for any other name."""

    def fill_in(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] not in known:
            raise ValueError(f"{match[0]} is not known: write the value in its place")
        try:
            return f"%{match[2]}" % known[match[1]]
        except TypeError:
            raise ValueError(f"{match[0]} is not a number") from None

    return _EXPANSION.sub(fill_in, value)


def _pairs(text: str) -> dict[str, str]:
    """Return the variables of `A="1",B=2`. Raises ValueError."""
    lexer = shlex.shlex(text, posix=True)
    lexer.wordchars += "/.+-():"
    words = [word for word in lexer if word != ","]
    names, signs, values = words[::3], words[1::3], words[2::3]
    if set(signs) - {"="} or not len(names) == len(signs) == len(values):
        raise ValueError("environment is not KEY=value,KEY=value")
    return dict(zip(names, values, strict=True))


def _autorestart(value: str) -> dict[str, Any]:
    if value == "unexpected":
        return {"restart": "on-failure"}
    return {} if _is_true(value) else {"restart": "never"}


def _is_true(value: str) -> bool:
    return value.lower() in ("true", "on", "yes", "1", "t", "y")


def _size(value: str) -> dict[str, Any] | None:
    """Return the size of a log; None for 0, since files are always rotated."""
    return None if value == "0" else {"log_size": value.upper().replace("B", "iB")}


_CONVERTERS: dict[str, Callable[[str], dict[str, Any] | None]] = {
    "directory": lambda value: {"cwd": value},
    "autostart": lambda value: {} if _is_true(value) else {"instances": 0},
    "autorestart": _autorestart,
    "startsecs": lambda value: {} if value == "1" else {"ready": {"after": f"{value}s"}},
    "stopsignal": lambda value: {} if value == "TERM" else {"stop_signal": value},
    "stopwaitsecs": lambda value: {"stop_timeout": f"{value}s"},
    "stdout_logfile_maxbytes": _size,
    "stdout_logfile_backups": lambda value: {"log_files": int(value) + 1},
    "redirect_stderr": lambda value: {} if _is_true(value) else None,
    "killasgroup": lambda value: {} if _is_true(value) else None,
    "stopasgroup": lambda value: None if _is_true(value) else {},
}
"""Key of supervisord -> the settings that it becomes; None: it is not carried over."""
