"""Read the files of supervisord: sections with the line of each key, and `%(name)s` in values.

The parser of the standard library reads them as supervisord does, but does not tell lines. So the
text is read a second time for these.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from configparser import RawConfigParser
from dataclasses import field

from orpheus.shared.records import dataclass
from orpheus.supervisor.importing.imported import FileLine, SourceFile
from orpheus.supervisor.importing.shell import LONGEST

_HEADER = re.compile(r"\[(?P<name>[^]]+)\]")
_KEY = re.compile(r"(?P<key>[^\s;#=:][^=:]*?)\s*[=:]")
_EXPANSION = re.compile(r"%(?:%|\((?P<name>\w+)\)(?P<form>[-+ 0-9.]*[sd]))|%")
_MARK = re.compile("\0([^\0]*)\0")
_BARE_MARK = re.compile(r"(?<!\S)\0[^\0]*\0(?!\S)")


class Unusable(Exception):
    """A value that supervisord refuses too, or that has no meaning in Orpheus; says why."""


@dataclass(slots=True)
class Section:
    """A section, such as `program:web`. `folder` is that of its file: `%(here)s`."""

    name: str
    position: FileLine
    folder: str
    values: dict[str, str] = field(default_factory=dict)
    positions: dict[str, FileLine] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What stands before the colon: `program`, `supervisord`."""
        return self.name.partition(":")[0]

    @property
    def short_name(self) -> str:
        """What stands after the colon."""
        return self.name.partition(":")[2].strip()


def read_sections(sources: Iterable[SourceFile]) -> list[Section]:
    """Return the sections in their order; a section that appears again adds to the first one.

    Raises configparser.Error for a file that supervisord could not read.
    """
    found: dict[str, Section] = {}
    for source in sources:
        parser = RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
        parser.read_string(source.text, source.name)
        positions = _positions(source)
        for name in parser.sections():
            position = positions.get((name, ""), FileLine(source.name, 1))
            section = found.setdefault(name, Section(name, position, source.folder))
            for key, value in parser.items(name):
                section.values[key] = value or ""
                section.positions[key] = positions.get((name, key), position)
    return list(found.values())


def _positions(source: SourceFile) -> dict[tuple[str, str], FileLine]:
    """Return the line of each section and key; of a repeated key the last one, which counts."""
    positions: dict[tuple[str, str], FileLine] = {}
    section = ""
    for number, line in enumerate(source.text.split("\n"), 1):
        if header := _HEADER.match(line.strip()):
            section = header["name"]
            positions.setdefault((section, ""), FileLine(source.name, number))
        elif (key := _KEY.match(line)) is not None:
            positions[section, key["key"].lower()] = FileLine(source.name, number)
    return positions


def expanded(value: str, names: Mapping[str, str | int]) -> str:
    r"""Return a value with `%(name)s` filled in, and `%(ENV_X)s` as a mark, `\0X\0`.

    Raises Unusable for a name that is not known.
    """

    def fill_in(match: re.Match[str]) -> str:
        name, form = match["name"], match["form"]
        if match[0] == "%%":
            return "%"
        if name is None:
            raise Unusable("a single % has no meaning; it must be %%")
        if name.startswith("ENV_"):
            return f"\0{name.removeprefix('ENV_')}\0"
        if name not in names:
            raise Unusable(f"%({name})s is not known")
        try:
            return f"%{form}" % names[name]
        except (TypeError, ValueError):
            raise Unusable(f"%({name}){form} cannot be filled in") from None

    return _EXPANSION.sub(fill_in, value)


def is_numbered(value: str) -> bool:
    """Return whether the number of the process is in a value: `%(process_num)02d`."""
    return any(found["name"] == "process_num" for found in _EXPANSION.finditer(value))


def has_variables(text: str) -> bool:
    """Return whether variables of the environment are marked in an expanded value."""
    return "\0" in text


def argv_of(command: str) -> list[str]:
    """Return the words of a command without marks. Raises Unusable."""
    if len(command) > LONGEST:
        raise Unusable(f"it is longer than {LONGEST // 1024} KiB")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Unusable(f"its quotes do not match: {error}") from None
    if not words or not words[0]:
        raise Unusable("it is empty")
    return words


def script_of(command: str) -> str:
    """Return a shell's text for an expanded command, in which each mark is a variable."""
    bare = {mark[0].strip("\0") for mark in _BARE_MARK.finditer(command)}
    words = []
    for word in argv_of(command):
        name = word.strip("\0")
        is_bare = _MARK.fullmatch(word) is not None and name in bare
        words.append(f"${{{name}?}}" if is_bare else quoted(word))
    return " ".join(words)


def quoted(text: str) -> str:
    """Return text as one word of a shell, which ends with an error if a variable is missing."""
    parts = _MARK.split(text)
    literal = [shlex.quote(part) if part else "" for part in parts[::2]]
    variables = [f'"${{{name}?}}"' for name in parts[1::2]]
    joined = "".join(a + b for a, b in zip(literal, [*variables, ""], strict=True))
    return joined or "''"


def pairs(value: str) -> dict[str, str]:
    """Return the variables of `environment=`: `KEY="value",OTHER=value`. Raises Unusable."""
    lexer = shlex.shlex(value)
    lexer.wordchars += "/.+-():\0"
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise Unusable(f"its quotes do not match: {error}") from None
    made: dict[str, str] = {}
    for at in range(0, len(tokens), 4):
        name, *rest = tokens[at : at + 3]
        if len(rest) != 2 or rest[0] != "=":
            raise Unusable('it is not KEY="value",OTHER="value"')
        made[name] = rest[1].strip("'\"")
    return made
