"""Turn the command line of another tool into a list of arguments and a name."""

import re
import shlex

from orpheus.shared.domain.limits import NAME

NEEDS_FIRST_LINE = "Without a shell, a script needs a first line that names one, such as #!/bin/sh."
_LONGEST_NAME = 64
_LONGEST_PLAIN = 131_072
"""`shlex` takes seconds for a longer line; Linux runs no program with a longer argument."""
_PLAIN = re.compile(r"""(?:'[^']*'|"[^"$`\\!]*"|[\w@%+,./:=^ \t-])+""")
"""Words that a shell takes literally."""
_ONE_PROGRAM = re.compile(r"""(?:'[^']*'|"[^"`\\!]*"|\$\{?\w+\}?|[\w@%+,./:=^ \t-])+""")
"""The same with variables: nothing in it starts a second program."""
_CD = re.compile(r"\s*cd\s+([\w@%+,./:=-]+)\s*&&\s*(.+)")
_BUILT_IN_WORDS = """
. : [ alias cd command echo eval exec exit export for if read set source test time trap type ulimit
umask unset until wait while
"""
_BUILT_IN = frozenset(_BUILT_IN_WORDS.split())
_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)


def argv_of(line: str, shell: str = "/bin/sh") -> list[str]:
    """Return the words of a line, or a call of the shell if the line needs one."""
    if len(line) <= _LONGEST_PLAIN and _PLAIN.fullmatch(line):
        words = shlex.split(line)
        if words and words[0] and "=" not in words[0] and words[0] not in _BUILT_IN:
            return words
    return [shell, "-c", line]


def lasting_argv_of(line: str) -> list[str]:
    """Return the same for a program that keeps running.

    If the line starts a single program, that program replaces its shell, and so gets the signals.
    """
    argv = argv_of(line, "sh")
    first = line.split(maxsplit=1)[0]
    is_one = _ONE_PROGRAM.fullmatch(line) and "=" not in first and first not in _BUILT_IN
    return ["sh", "-c", f"exec {line}"] if argv[1:] == ["-c", line] and is_one else argv


def without_cd(line: str) -> tuple[str, str]:
    """Return the folder that a line `cd FOLDER && …` changes to (or ""), and the rest of it."""
    found = _CD.fullmatch(line)
    return (found[1], found[2].strip()) if found else ("", line.strip())


def escaped_fields(argv: list[str]) -> list[str]:
    """Return arguments for `[[commands]]` in which no `{name}` is taken for a payload's field."""
    return [_FIELD.sub(r"{{\1}}", argument) for argument in argv]


def name_of(line: str) -> str:
    """Return a name for a command, of its first two words: `php-artisan` for `php /srv/artisan`."""
    words = [word for word in line.split() if not word.startswith("-") and "=" not in word]
    names = [word.rstrip("/").rpartition("/")[2] for word in words[:2]]
    return as_name("-".join(re.sub(r"(?<=.)\.\w+\Z", "", name) for name in names))


def as_name(text: str) -> str:
    """Return the text as the name of an entry: other characters become a dash."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text, flags=re.ASCII).strip("-._")[:_LONGEST_NAME]
    return name if NAME.fullmatch(name) else "job"


class UniqueNames:
    """Gives each name only once. `taken` are the names that are in use already."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def unique(self, name: str) -> str:
        """Return the name, with a number if it is taken."""
        number, made = 2, name
        while made in self._taken:
            made = f"{name[: _LONGEST_NAME - len(str(number)) - 1]}-{number}"
            number += 1
        self._taken.add(made)
        return made
