"""Turn a line for a shell into a list of arguments.

A line in which nothing is special to a shell becomes its words. Any other line keeps its shell,
`sh -c`, and so does the same as before.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import field
from posixpath import join

from orpheus.shared.records import dataclass

DEFAULT_SHELL = "/bin/sh"
LONGEST = 131_072
"""Linux runs no program with a longer argument. `shlex` takes seconds for a longer word."""
NEEDS_FIRST_LINE = "Without a shell, a script needs a first line that names one, such as #!/bin/sh."
"""The note for lines that a shell ran: a shell also runs scripts without such a first line."""
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_PLAIN = re.compile(r"""(?:'[^']*'|"[^"$`\\!]*"|[\w@%+,./:=^\] \t-])+""")
"""Words, quoted or not, that each of these shells takes literally."""
_PLAIN_OR_VARIABLES = re.compile(
    r"""(?:'[^']*'|"[^"`\\!]*"|\$\{?\w+(?::?-[\w./:-]*)?\}?|[\w@%+,./:=^\] \t-])+"""
)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)
_ASSIGNMENTS = re.compile(r"""\s*(?:[A-Za-z_]\w*=(?:'[^']*'|"[^"]*"|[^\s'"])*\s+)*""", re.ASCII)
_CD = re.compile(r"\s*cd\s+([\w@%+,./:=-]+|'[^'$`\\]+'|\"[^\"$`\\!]+\")\s*&&\s*(.+)", re.DOTALL)
_NOT_ONE_CHAIN = re.compile(r";|\|\||\n|#|(?<![&>])&(?![&>\d])")
"""What may let a later part of a line run although the first one failed."""
_BUILT_IN_TEXT = """
. : [[ alias bg break builtin case cd command continue coproc declare do done elif else esac eval
exec exit export fc fg fi for function getopts hash if in jobs let local popd pushd read readonly
return select set shift shopt source then time times trap type typeset ulimit umask unalias unset
until wait while
"""
_BUILT_IN = frozenset(_BUILT_IN_TEXT.split())
_SAY_LITTLE = _BUILT_IN | {"echo", "true", "test", "[", "|"}
_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Run:
    """How a program is started. `words` are those of the line, from which a name is made."""

    argv: list[str]
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    is_behind_shell: bool = False
    """Its parent is a shell, which would get signals instead of it."""


def run_of(line: str, shell: str = DEFAULT_SHELL, folder: str | None = None) -> Run:
    """Return how to run a line once.

    `folder` is where it is run; None if that is not known, "" if where Orpheus runs.
    """
    cwd, rest = _without_cd(line, folder)
    plain = _plain_words(rest) if shell.rpartition("/")[2] in _SHELLS else None
    if plain is None:
        return Run([shell, "-c", rest], cwd, words=_rough_words(rest))
    env, argv = plain
    script = next((word for word in argv if " " in word), None) if argv[1:2] == ["-c"] else None
    return Run(argv, cwd, env, argv if script is None else _rough_words(script))


def keep_running(line: str, folder: str) -> Run:
    """Return how to run a line as a program that stays: if possible, it replaces its shell."""
    run = run_of(line, "sh", folder)
    if run.argv[:2] != ["sh", "-c"]:
        return run
    *before, last = run.argv[2].split(" && ")
    is_simple = all(_PLAIN_OR_VARIABLES.fullmatch(part) for part in (*before, last))
    set_before = _ASSIGNMENTS.match(last)
    program = last[set_before.end() :] if set_before else last
    first = program.split(maxsplit=1)[0] if program.strip() else ""
    if not is_simple or not first or first in _BUILT_IN - {"exec"}:
        return Run(run.argv, run.cwd, run.env, run.words, is_behind_shell=True)
    script = run.argv[2]
    if first != "exec":
        at = len(script) - len(program)
        script = f"{script[:at]}exec {script[at:]}"
    return Run(["sh", "-c", script], run.cwd, run.env, _rough_words(last))


def with_input(line: str, text: str) -> str:
    """Return a line that runs `line` with this text, and a newline, as its standard input."""
    lines = " ".join(shlex.quote(one) for one in text.split("\n"))
    return f"printf '%s\\n' {lines} | (\n{line}\n)"


def escaped_fields(argv: Sequence[str]) -> list[str]:
    """Return arguments for `[[commands]]` in which no `{name}` is taken for a payload's field."""
    return [_FIELD.sub(r"{{\1}}", one) for one in argv]


def _without_cd(line: str, folder: str | None) -> tuple[str, str]:
    """Return the folder that a line changes to, and the rest of it."""
    cwd = folder or ""
    found = _CD.fullmatch(line)
    if found is None or _NOT_ONE_CHAIN.search(found[2]):
        return cwd, line.strip()
    there = found[1].strip("'\"")
    if there.startswith("-") or (folder is None and not there.startswith("/")):
        return cwd, line.strip()
    return join(cwd, there), found[2].strip()


def _plain_words(line: str) -> tuple[dict[str, str], list[str]] | None:
    """Return the variables set before a command and its words; None if it needs a shell."""
    if len(line) > LONGEST or not _PLAIN.fullmatch(line):
        return None
    words, env = shlex.split(line), {}
    while words and (found := _ASSIGNMENT.fullmatch(words[0])):
        env[found[1]] = found[2]
        words.pop(0)
    if not words or not words[0] or words[0] in _BUILT_IN:
        return None
    return env, words


def _rough_words(script: str) -> list[str]:
    """Return the words of the main command of a script, well enough to make a name of them."""
    without_files = re.sub(r"&?\d*[<>]+.*", "", script)
    parts = re.split(r"&&|;|\n", without_files)
    found: list[list[str]] = []
    for part in parts:
        words = re.findall(r"[^\s(){}'\"`|]+|\|", part)
        found.append(words[: words.index("|")] if "|" in words[1:] else words)
    telling = [words for words in found if words and words[0] not in _SAY_LITTLE]
    return (telling or found)[-1]
