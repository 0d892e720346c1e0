"""supervisord.conf -> a `[[programs]]` entry for each `[program:…]`.

A value with `%(ENV_X)s` needs a shell, which alone can put a variable into an argument. A program
with `%(process_num)d` becomes one entry for each process, unless `{instance}` says the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from orpheus.shared.domain.programs import INSTANCE
from orpheus.shared.records import dataclass
from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left, SourceFile
from orpheus.supervisor.importing.names import DEFAULT_POOLS, UniqueNames, as_name, renamed
from orpheus.supervisor.importing.supervisord_file import (
    Section,
    Unusable,
    argv_of,
    expanded,
    has_variables,
    is_numbered,
    pairs,
    quoted,
    read_sections,
    script_of,
)
from orpheus.supervisor.importing.supervisord_keys import (
    DAEMON_KEYS,
    SECTIONS,
    settings_of,
    whole_number,
)

MOST_INSTANCES = 1000
T = TypeVar("T")
_DIFFERENCES = (
    "Orpheus starts all programs at once; those that need others name them in after = [].",
    "What they write is kept in rotating files: orpheus logs SLOT.",
)


@dataclass(frozen=True, slots=True)
class SupervisordHost:
    """What supervisord knows without a line: who runs it, and `%(host_node_name)s`."""

    user: str = ""
    node_name: str = ""


@dataclass(frozen=True, slots=True)
class _Process:
    """One entry to be made of a program, with the values of its expansions."""

    name: str
    instances: int
    names: dict[str, str | int]


def convert(
    sources: Sequence[SourceFile],
    host: SupervisordHost,
    not_found: Iterable[tuple[FileLine, str]] = (),
) -> Imported:
    """Return a program for each section, in the order of the files.

    `not_found`: patterns of `[include]` that match no file. Raises configparser.Error for a file
    that supervisord could not read.
    """
    sections = read_sections(sources)
    names = UniqueNames(*DEFAULT_POOLS)
    groups = _groups(sections)
    common = next((one for one in sections if one.name == "supervisord"), None)
    items: list[Entry | Left] = []
    for section in sections:
        if section.kind == "program":
            group = groups.get(section.short_name, section.short_name)
            items += _programs(section, common, {"group_name": group}, host, names)
        elif section.kind == "supervisord":
            keys = [key for key in section.values if key != "environment"]
            items += [_left(section, key, *DAEMON_KEYS.get(key, DAEMON_KEYS[""])) for key in keys]
        elif section.kind != "include":
            is_memmon = "memmon" in section.values.get("command", "")
            kind = "memmon" if is_memmon else section.kind
            reason = SECTIONS.get(kind, SECTIONS[""])
            items.append(Left(section.position, f"[{section.name}]", *reason))
    for position, pattern in not_found:
        items.append(Left(position, f"files = {pattern}", "no such file", "import it by itself"))
    return Imported(items, _DIFFERENCES)


def include_patterns(source: SourceFile, environ: dict[str, str]) -> list[tuple[FileLine, str]]:
    """Return the patterns of `[include]`. Raises configparser.Error."""
    for section in read_sections([source]):
        if section.name == "include" and "files" in section.values:
            names = {"here": section.folder, **{f"ENV_{k}": v for k, v in environ.items()}}
            found = section.values["files"]
            for name, value in names.items():
                found = found.replace(f"%({name})s", value)
            return [(section.positions["files"], pattern) for pattern in found.split()]
    return []


def _groups(sections: Iterable[Section]) -> dict[str, str]:
    """Return the group of each program that is in one."""
    return {
        program.strip(): section.short_name
        for section in sections
        if section.kind == "group"
        for program in section.values.get("programs", "").split(",")
    }


def _programs(
    section: Section,
    common: Section | None,
    names: dict[str, str],
    host: SupervisordHost,
    unique: UniqueNames,
) -> list[Entry | Left]:
    """Return the entries of a program, or why there is none."""
    known = {
        "program_name": section.short_name,
        "here": section.folder,
        "host_node_name": host.node_name,
        **names,
    }
    try:
        processes, more = _processes(section, known, unique)
        settings, left = settings_of(section, host.user, processes[0].instances)
        entries = [_entry(section, common, one, settings) for one in processes]
    except Unusable as problem:
        return [Left(section.position, f"[{section.name}]", str(problem), "write it by hand")]
    left = sorted([*left, *more, *_instances_meant(section)], key=lambda one: one.position)
    first, *others = entries
    return [replace(first, left=tuple(left)), *others]


def _instances_meant(section: Section) -> list[Left]:
    why = "Orpheus puts the number of the slot in the place of {instance}"
    return [
        _left(section, key, why, "see whether that is what is meant")
        for key in ("command", "environment")
        if "{instance}" in section.values.get(key, "")
    ]


def _processes(
    section: Section, known: dict[str, str], unique: UniqueNames
) -> tuple[list[_Process], list[Left]]:
    """Return the entries to be made, and what is different in their names or numbers."""
    count, first = _number(section, "numprocs", 1), _number(section, "numprocs_start", 0)
    if not 1 <= count <= MOST_INSTANCES:
        raise Unusable(f"numprocs={count} is not 1 to {MOST_INSTANCES}")
    made: list[_Process] = []
    left: list[Left] = []
    wanted = section.short_name

    def add(name: str, instances: int, process_num: int | str) -> None:
        names = {**known, "numprocs": count, "process_num": process_num}
        made.append(_Process(unique.unique(as_name(name)), instances, names))
        left.extend(renamed(section.position, name, made[-1].name))

    values = [section.values.get(key, "") for key in ("command", "directory", "environment")]
    numbered = list(filter(is_numbered, values))
    has_folders = is_numbered(section.values.get("directory", ""))
    if count == 1 or not numbered:
        add(wanted, count, first)
    elif first == 1 and not has_folders and all(map(_is_plain, numbered)):
        add(wanted, count, INSTANCE)
    else:
        for number in range(first, first + count):
            add(f"{wanted}-{number}", 1, number)
        numbers = "{instance} counts from 1 and has no leading zeros"
        why = "cwd has no {instance}" if has_folders else numbers
        left.append(_left(section, "numprocs", why, "each process has an entry of its own"))
    if "process_name" in section.values:
        why = "a process is called after its entry and its number"
        instead = f"its slots are {made[0].name}-1 and so on, from 1"
        left.append(_left(section, "process_name", why, instead))
    return made, left


def _is_plain(value: str) -> bool:
    """Return whether the number of the process has no form, such as leading zeros."""
    rest = value.replace("%(process_num)d", "").replace("%(process_num)s", "")
    return not is_numbered(rest)


def _entry(
    section: Section, common: Section | None, process: _Process, settings: dict[str, Any]
) -> Entry:
    """Return the `[[programs]]` entry of a process. Raises Unusable."""
    command = _usable(section, "command", lambda text: _filled(text, process.names))
    folder = _usable(section, "directory", lambda text: _filled(text, process.names))
    env, positions = _environment(section, common, process)
    exported = {name: value for name, value in env.items() if has_variables(value)}
    env = {name: value for name, value in env.items() if name not in exported}
    if has_variables(command) or has_variables(folder) or exported:
        parts = [f"export {name}={quoted(value)}" for name, value in exported.items()]
        parts += [f"cd {quoted(folder)}"] if has_variables(folder) else []
        script = _usable(section, "command", lambda _: script_of(command))
        argv = ["sh", "-c", " && ".join([*parts, f"exec {script}"])]
    else:
        argv = _usable(section, "command", lambda _: argv_of(command))
    values: dict[str, Any] = {"name": process.name, "argv": argv}
    if process.instances != 1:
        values["instances"] = process.instances
    if folder and not has_variables(folder):
        values["cwd"] = folder
    if env:
        values["env"] = env
    positions = [section.position, *section.positions.values(), *positions]
    original = f"[{section.name}]"
    return Entry("programs", values | settings, original, tuple(positions))


def _usable(section: Section, key: str, use: Callable[[str], T]) -> T:
    """Return what is made of a value. Raises Unusable, which names the key."""
    try:
        return use(section.values.get(key, ""))
    except Unusable as problem:
        raise Unusable(f"{key}: {problem}") from None


def _filled(value: str, names: dict[str, str | int]) -> str:
    if isinstance(names.get("process_num"), str):  # {instance}, which has no other form
        value = value.replace("%(process_num)d", "%(process_num)s")
    return expanded(value, names)


def _environment(
    section: Section, common: Section | None, process: _Process
) -> tuple[dict[str, str], list[FileLine]]:
    """Return the variables of all programs and of this one, with the lines of the first."""
    env: dict[str, str] = {}
    positions = []
    for one in (common, section):
        if one is not None and "environment" in one.values:
            env |= _usable(one, "environment", lambda text: pairs(_filled(text, process.names)))
            positions.append(one.positions["environment"])
    return env, positions


def _number(section: Section, key: str, default: int) -> int:
    return whole_number(key, section.values.get(key, str(default)).strip())


def _left(section: Section, key: str, why: str, instead: str) -> Left:
    return Left(section.positions[key], f"{key}={section.values[key]}", why, instead)
