"""Read what was set: the TOML file, `ORPHEUS_…` variables, `--set`. Later sources win.

Only the form is checked here. Each source becomes nested tables, and `Sources` remembers where each
value came from, so that a problem is reported with its file and line, or its variable.
config/load.py checks the values.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct

from orpheus.config.files import FileState, is_there, read_regular_file, state_of
from orpheus.config.problems import KeyPath, Problem, dotted
from orpheus.shared.domain.limits import NAME
from orpheus.shared.process.files import run_as_owner

DEFAULT_PATHS = (Path("config/orpheus.toml"), Path("orpheus.toml"))
"""Where the file is looked for, in this order, if none is named."""
PREFIX = "ORPHEUS_"
MOST_LEVELS = 100
_MOST_DOTS = 1000
"""In one line: `tomllib` takes the square of the length of a dotted key."""
_NOT_SETTINGS = frozenset(
    {"ORPHEUS_CONFIG", "ORPHEUS_TESTING", "ORPHEUS_FAILPOINTS", "ORPHEUS_TOKEN"}
)
_WITHOUT_KEY = frozenset(
    ("pools", "queues", "schedules", "commands", "programs", "alerts", "outboxes")
)
"""The settings that a variable may set as a whole."""
_NOT_A_SETTING = (
    "variables are called ORPHEUS_TABLE__KEY, with two underscores. If Kubernetes sets this one "
    "for a Service called orpheus, say `enableServiceLinks: false` in the pod's spec"
)
_SYNTAX_ERROR = re.compile(
    r"(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", re.DOTALL
)
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_ASSIGNMENT = re.compile(r"""\s*+((?:[\w.-]++|"[^"]*+"|'[^']*+'|[ \t]++)+?)=""")


class Sources(Struct, dict=True):
    """The tables of each source, and where each value came from."""

    file: Path | None = None
    text: str = ""
    """What the file contained."""
    state: FileState | None = None
    """The state of the file before it was read."""
    is_readable: bool = True
    """False if there is a file and it is not TOML."""
    layers: list[dict[str, Any]] = []
    """One for each source; later ones win."""
    said: list[dict[str, Any]] = []
    """Those of the user, without what `orpheus dev` adds."""
    problems: list[Problem] = []
    _origins: dict[KeyPath, str] = {}

    def add(self, values: dict[str, Any], origin: str) -> None:
        """Add a source; `origin` names it."""
        self.said.append(values)
        self.assume(values, origin)

    def assume(self, values: dict[str, Any], origin: str = "orpheus dev") -> None:
        """Add what no user has said."""
        self.layers.append(values)
        for key, _ in leaves(values):
            for length in range(1, len(key)):  # a value of an earlier source: a table replaces it
                self._origins.pop(key[:length], None)
            self._origins[key] = origin

    def merged(self) -> dict[str, Any]:
        """Return the tables of all sources together."""
        values: dict[str, Any] = {}
        for layer in self.layers:
            values = merged(values, layer)
        return values

    def digest(self) -> str:
        """Return a digest of the values of each source, however they are written."""
        said = json.dumps([layer for layer in self.said if layer], sort_keys=True, default=repr)
        return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()

    def origin(self, key: KeyPath) -> str | None:
        """Return what set the key (a path, a variable, `--set`); None for a default."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._origins:
                return self._origins[key[:length]]
        # A table has the origin of its first key.
        below = (origin for leaf, origin in self._origins.items() if leaf[: len(key)] == key)
        return next(below, None)

    def origin_with_line(self, key: KeyPath) -> str | None:
        """Return what set the key; a file with the line, if that is known."""
        origin = self.origin(key)
        if origin is None or self.file is None or origin != str(self.file):
            return origin
        lines = self._lines
        known = (lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines)
        below = (number for path, number in lines.items() if key and path[: len(key)] == key)
        number = next(known, None) or next(below, None)
        return origin if number is None else f"{origin}:{number}"

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return _line_numbers(self.text)

    def line(self, problem: Problem) -> str:
        """Return the problem as one line: source, key, reason."""
        where = self.where_to_fix(problem)
        text = f"{self.named(problem.key)}: {problem.reason}" if problem.key else problem.reason
        return text if where is None else f"{where}: {text}"

    def where_to_fix(self, problem: Problem) -> str | None:
        """Return where to fix it: `orpheus.toml:12`, a variable, `--set`; None for a default."""
        if problem.source is not None:
            return problem.source
        origins = (self.origin_with_line(key) for key in (problem.key, *problem.also))
        return next((origin for origin in origins if origin is not None), None)

    def named(self, key: KeyPath) -> str:
        """Return the dotted key, with the name of an entry of a list: alerts.late.on.

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

    def read_found_file(self, config: Path | None, environ: Mapping[str, str]) -> None:
        """Add the content of the configuration file, if there is one. A named one must be there."""
        file = config_file(config, environ)
        if config or environ.get("ORPHEUS_CONFIG") or is_there(file):
            self.read_file(file)

    def read_file(self, path: Path) -> None:
        """Add the content of the TOML file, or the problem that it cannot be read."""
        self.state = state_of(path)
        try:
            self.read_text(read_regular_file(path).decode(), path)
        except OSError as error:
            owner = run_as_owner(path) if isinstance(error, PermissionError) else ""
            self._cannot_read(path, str(path), f"cannot be read: {error.strerror}{owner}")
        except UnicodeDecodeError as error:
            self._cannot_read(path, str(path), f"is not UTF-8 (byte {error.start})")

    def read_text(self, text: str, path: Path) -> None:
        """Add a text, as if the file at `path` contained it."""
        self.file, self.text = path, text
        try:
            self.add(read_toml(text), str(path))
        except tomllib.TOMLDecodeError as error:
            self._cannot_read(path, *_syntax_error(path, str(error)))

    def _cannot_read(self, path: Path, where: str, reason: str) -> None:
        self.file, self.is_readable = path, False
        self._add_problem(where, reason)

    def read_others(self, sets: Sequence[str], environ: Mapping[str, str]) -> "Sources":
        """Add every `ORPHEUS_TABLE__KEY`, then every `--set KEY=VALUE`."""
        for name in sorted(environ.keys() - _NOT_SETTINGS):
            if name.startswith(PREFIX):
                path = _path_of(name)
                if len(path) == 1 and path[0] not in _WITHOUT_KEY:
                    self._add_problem(name, _NOT_A_SETTING)
                elif len(path) > MOST_LEVELS:
                    self._add_problem(name, "unknown key")
                else:
                    self.add(nested(path, _value(environ[name])), name)
        if "ORPHEUS_FAILPOINTS" in environ and environ.get("ORPHEUS_TESTING") != "1":
            self._add_problem("ORPHEUS_FAILPOINTS", "is for tests only, with ORPHEUS_TESTING=1")
        for item in sets:
            key, equals, text = item.partition("=")
            steps = key_path(key)
            if not equals or steps is None:
                self._add_problem("--set", f"{item!r} is not KEY=VALUE, such as api.port=9000")
            else:
                self.add(nested(steps, _value(text)), "--set")
        return self

    def _add_problem(self, source: str, reason: str) -> None:
        self.problems.append(Problem((), reason, source=source))


def read_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text. Raises TOMLDecodeError, also if it nests too deeply to walk."""
    too_deep = tomllib.TOMLDecodeError(f"it nests more than {MOST_LEVELS} levels")
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise too_deep
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise too_deep from None
    level: list[Any] = [tables]
    for _ in range(MOST_LEVELS + 1):
        inner = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [value for value in chain(*inner) if isinstance(value, (dict, list))]
        if not level:
            return tables
    raise too_deep


def read_sources(
    config: Path | None,
    sets: Sequence[str],
    environ: Mapping[str, str],
    assumed: dict[str, Any] | None = None,
) -> Sources:
    """Read everything that was set, over what is `assumed`. A file that was named must be there."""
    sources = Sources()
    if assumed is not None:
        sources.assume(assumed)
    sources.read_found_file(config, environ)
    return sources.read_others(sets, environ)


def sources_with(text: str, path: Path, sets: Sequence[str], environ: Mapping[str, str]) -> Sources:
    """Read everything that would be set if the file at `path` contained `text`."""
    sources = Sources()
    sources.read_text(text, path)
    return sources.read_others(sets, environ)


def config_file(config: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the named configuration file, else the first default that exists.

    If none is there, the first default is returned.
    """
    if config is None and environ.get("ORPHEUS_CONFIG"):
        config = Path(environ["ORPHEUS_CONFIG"])
    found = (path for path in DEFAULT_PATHS if is_there(path))
    return config or next(found, DEFAULT_PATHS[0])


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


def merged(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables as one; where both have a value, that of `other` counts."""
    found = dict(table)
    for key, value in other.items():
        before = found.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return found


def leaves(table: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the key and value of everything that is not a table, or is an empty one."""
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
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault((*table, *(key_path(assignment[1]) or ())), number)
    return lines
