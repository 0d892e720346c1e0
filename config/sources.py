"""Read what was set: the TOML file, `ORPHEUS_…` variables, `--set`. Later ones win.

Only the form is checked here. Each source becomes nested tables, and `Sources` remembers where each
value came from, so that a problem is reported with its file and line, or its variable.
config/load.py merges and checks the tables.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from orpheus.config.problems import KeyPath, Problem, dotted
from orpheus.config.regular_file import read_regular_file
from orpheus.config.toml_text import MOST_LEVELS, read_toml
from orpheus.shared.domain.limits import NAME
from orpheus.shared.process.files import run_as_owner

DEFAULT_PATHS = (Path("config/orpheus.toml"), Path("orpheus.toml"))
"""Where the file is looked for, in this order, if none is named."""
PREFIX = "ORPHEUS_"
_NOT_SETTINGS = frozenset({"ORPHEUS_CONFIG", "ORPHEUS_TESTING", "ORPHEUS_FAILPOINTS"})

_TABLES = frozenset(
    ("api", "database", "heartbeats", "jobs", "leases", "logging", "retention", "supervisor")
)
"""The tables of settings that a variable may name."""
_OF_KUBERNETES = re.compile(
    r"ORPHEUS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT(_\d+_[A-Z]+)?=\w+://.*"
    r"|PORT_\d+_[A-Z]+_(PROTO|PORT|ADDR)=.*)"
)
"""What Kubernetes sets in each pod for a Service called orpheus, or orpheus-something."""
_KUBERNETES_SETS = (
    "Kubernetes sets them for a Service called orpheus or orpheus-…: say "
    "`enableServiceLinks: false` in the pod's spec, or call the Service otherwise"
)

NO_DATABASE = (
    "cannot tell which database to use; name it: --set database.url=sqlite:///FILE, or, for "
    "a client in a program of your own, ORPHEUS_DATABASE__URL=sqlite:///FILE"
)
_BESIDE_URL = (("durability",), ("state_dir",), ("listen_url",))
"""The keys of [database] that say nothing of which database is meant."""
_SYNTAX_ERROR = re.compile(
    r"(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", re.DOTALL
)
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"""\s*+((?:[\w.-]++|"[^"]*+"|'[^']*+'|[ \t]++)+?)=""")


class Sources(msgspec.Struct, dict=True):
    """The tables of each source, and where each value came from."""

    file: Path | None = None
    layers: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """One for each source; later ones win."""
    problems: list[Problem] = msgspec.field(default_factory=list)
    tells_database: bool = True
    """False if the file may name the database, but in a way that cannot be read."""
    guesses_database: bool = False
    """True if the file is no TOML and no line names the database: one that did may be gone."""
    text: str = ""
    """What the file held."""
    _origins: dict[KeyPath, str] = msgspec.field(default_factory=dict)

    def add(self, values: dict[str, Any], origin: str) -> None:
        """Add a source; `origin` names it."""
        self.layers.append(values)
        for key, _ in leaves(values):
            for length in range(1, len(key)):  # a value of an earlier source: a table replaces it
                self._origins.pop(key[:length], None)
            self._origins[key] = origin

    def _add_value(self, path: Sequence[str], value: Any, origin: str) -> None:
        """Add a source that sets one value; in a list of an earlier source, it cannot."""
        if len(path) > MOST_LEVELS:
            self._add_problem(origin, "unknown key")
            return
        for length in range(1, len(path)):
            if any(isinstance(_value_at(one, path[:length]), list) for one in self.layers):
                known = dotted(tuple(path[:length]))
                reason = f"{known} is a list: set it as a whole, or change it in the file"
                self.problems.append(Problem(tuple(path), reason, source=origin))
                return
        self.add(nested(path, value), origin)

    def origin(self, key: KeyPath) -> str | None:
        """Return what set the key (a path, a variable, `--set`); None for a default."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._origins:
                return self._origins[key[:length]]
        # A table has the origin of its first key.
        below = (origin for leaf, origin in self._origins.items() if leaf[: len(key)] == key)
        return next(below, None)

    def line(self, problem: Problem) -> str:
        """Return the problem as one line: source, key, reason."""
        where = self.where_to_fix(problem)
        text = f"{self.named(problem.key)}: {problem.reason}" if problem.key else problem.reason
        return text if where is None else f"{where}: {text}"

    def named(self, key: KeyPath) -> str:
        """Return the dotted key; one of several tables is called by its name: alerts.late.on.

        A person who reads it beside the text does not count `[[alerts]]` from 0.
        """
        tables = [layer[str(key[0])] for layer in self.layers if key and str(key[0]) in layer]
        index = key[1] if len(key) > 1 else None
        if tables and isinstance(tables[-1], list) and isinstance(index, int):
            table = tables[-1][index] if index < len(tables[-1]) else None
            name = table.get("name") if isinstance(table, Mapping) else None
            if isinstance(name, str) and NAME.fullmatch(name):
                return dotted((key[0], name, *key[2:]))
        return dotted(key)

    def where_to_fix(self, problem: Problem) -> str | None:
        """Return where to fix it: `orpheus.toml:12`, a variable, `--set`; None for a default."""
        if problem.source is not None:
            return problem.source
        origins = (self.origin_with_line(key) for key in (problem.key, *problem.also))
        return next((origin for origin in origins if origin is not None), None)

    def origin_with_line(self, key: KeyPath) -> str | None:
        """Return what set the key; a file with the line, if that is known."""
        origin = self.origin(key)
        if origin is None or self.file is None or origin != str(self.file):
            return origin
        lines = self._lines
        known = (lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines)
        below = (number for one, number in lines.items() if key and one[: len(key)] == key)
        number = next(known, None) or next(below, None)
        return origin if number is None else f"{origin}:{number}"

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return _line_numbers(self.text)

    def read_file(self, path: Path) -> None:
        """Add the content of the TOML file, or the problem that it cannot be read."""
        self.file = path
        try:
            text = read_regular_file(path).decode()
        except OSError as error:
            owner = run_as_owner(path) if isinstance(error, PermissionError) else ""
            self._add_problem(str(path), f"cannot be read: {error.strerror}{owner}")
            self.tells_database = False
        except UnicodeDecodeError as error:
            self._add_problem(str(path), f"is not UTF-8 (byte {error.start})")
            self.tells_database = False
        else:
            self.read_text(text, path)

    def read_text(self, text: str, path: Path) -> None:
        """Add a text, as if the file at `path` held it."""
        self.file, self.text = path, text
        try:
            self.add(read_toml(text), str(path))
        except tomllib.TOMLDecodeError as error:
            self._add_problem(*_syntax_error(path, str(error)))
            self._read_database()

    def _read_database(self) -> None:
        """Read [database] line by line from a text that is not TOML.

        The URL is certain if its line can be read and stands below a header that can. Without one,
        another line may be meant to be it: one that cannot be read, or whose header cannot.
        """
        lines = self.text.splitlines()
        is_told, may_be_meant = False, False
        for key, number in self._lines.items():
            if key[:1] != ("database",) and key[-1:] != ("url",):
                continue
            try:
                values = read_toml(lines[number - 1])
            except tomllib.TOMLDecodeError:
                may_be_meant = may_be_meant or key[1:] not in _BESIDE_URL
                continue
            if key[:1] != ("database",):
                may_be_meant = True
                continue
            if key[1:] and key[1] in values:
                values = {"database": values}
            self.add(values, str(self.file))
            is_told = is_told or "url" in values["database"]
        self.tells_database = is_told or not may_be_meant
        self.guesses_database = not is_told

    def read_others(self, sets: Sequence[str], environ: Mapping[str, str]) -> "Sources":
        """Add every `ORPHEUS_TABLE__KEY`, then every `--set KEY=VALUE`."""
        ours = {name for name in environ if name.startswith(PREFIX)} - _NOT_SETTINGS
        of_kubernetes = {name for name in ours if _is_of_kubernetes(name, environ[name])}
        for name in sorted(ours - of_kubernetes):
            table, _, key = name.removeprefix(PREFIX).partition("_")
            if table.lower() in _TABLES and key and not key.startswith("_"):
                meant = f"{PREFIX}{table}__{key}"
                self._add_problem(name, f"write two underscores after the table: {meant}")
            else:
                self._add_value(_path_of(name), _value(environ[name]), name)
        if of_kubernetes:
            first, more = min(of_kubernetes), len(of_kubernetes) - 1
            self._add_problem(f"{first} and {more} more" if more else first, _KUBERNETES_SETS)
        if "ORPHEUS_FAILPOINTS" in environ and environ.get("ORPHEUS_TESTING") != "1":
            self._add_problem("ORPHEUS_FAILPOINTS", "is for tests only, with ORPHEUS_TESTING=1")
        for item in sets:
            key, equals, text = item.partition("=")
            steps = key_path(key)
            if not equals or steps is None:
                self._add_problem("--set", f"{item!r} is not KEY=VALUE, such as api.port=9000")
            else:
                self._add_value(steps, _value(text), "--set")
        return self

    def _add_problem(self, source: str, reason: str) -> None:
        self.problems.append(Problem((), reason, source=source))


def read_sources(config: Path | None, sets: Sequence[str], environ: Mapping[str, str]) -> Sources:
    """Read everything that was set. A file that was named must be there."""
    sources = Sources()
    file = config_file(config, environ)
    if given_file(config, environ) is not None or is_there(file):
        sources.read_file(file)
    return sources.read_others(sets, environ)


def config_file(config: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the configuration file: the one that was named, else the first default that is there.

    If none is there, the first default is returned.
    """
    found = (path for path in DEFAULT_PATHS if is_there(path))
    return given_file(config, environ) or next(found, DEFAULT_PATHS[0])


def given_file(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file that `--config` or `$ORPHEUS_CONFIG` names; None if neither does."""
    return config or (Path(environ["ORPHEUS_CONFIG"]) if environ.get("ORPHEUS_CONFIG") else None)


def is_there(path: Path) -> bool:
    """Return whether there is something to read; True also if that cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # reading it will say why
        return True
    return True


def sources_with(text: str, path: Path, sets: Sequence[str], environ: Mapping[str, str]) -> Sources:
    """Read everything that would be set if the file at `path` held `text`."""
    sources = Sources()
    sources.read_text(text, path)
    return sources.read_others(sets, environ)


def _is_of_kubernetes(name: str, text: str) -> bool:
    return "__" not in name and _OF_KUBERNETES.fullmatch(f"{name}={text}") is not None


def _path_of(variable: str) -> list[str]:
    """Return the key that a variable sets: queues.mail.rate for `ORPHEUS_QUEUES__MAIL__RATE`.

    The name of a queue may have capitals; only one that is all capitals is meant in lower case.
    """
    steps = variable.removeprefix(PREFIX).split("__")
    path = [step.lower() for step in steps]
    if path[0] == "queues" and len(path) > 1 and not steps[1].isupper():
        path[1] = steps[1]
    return path


def _value(text: str) -> Any:
    """Return the text read as a TOML value, else the text itself."""
    try:
        document = read_toml(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if len(document) == 1 else text


def key_path(text: str) -> list[str] | None:
    """Return the steps of a dotted TOML key, as `--set` takes it; None if it is not one."""
    try:
        table: Any = read_toml(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(table, dict):
        if len(table) != 1:
            return None
        ((name, table),) = table.items()
        path.append(name)
    return path


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return the tables in which `value` alone is at `path`."""
    for name in reversed(path):
        value = {name: value}
    nested: dict[str, Any] = value
    return nested


def _value_at(table: Any, path: Sequence[str]) -> Any:
    for step in path:
        table = table.get(step) if isinstance(table, Mapping) else None
    return table


def leaves(table: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the key and value of all that is no table, or an empty one."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _syntax_error(path: Path, message: str) -> tuple[str, str]:
    at = _SYNTAX_ERROR.fullmatch(message)
    if at is None:
        return str(path), f"is not TOML: {message}"
    return f"{path}:{at['line']}:{at['column']}", f"is not TOML: {at['what']}"


def _line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the lines of tables and keys in a TOML file, well enough to point at a mistake."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    items: Counter[KeyPath] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = tuple(key_path(header[2]) or ())
            if header[1] == "[[":
                items[table] += 1
                table = (*table, items[table] - 1)
            lines.setdefault(table, number)
        elif line.lstrip().startswith("[") and "]" not in line:  # what follows is not of `table`
            table = (line.strip(),)
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault((*table, *(key_path(assignment[1]) or ())), number)
    return lines
