"""Names for entries, made of the command that they run."""

import re

from orpheus.shared.domain.limits import NAME
from orpheus.supervisor.importing.imported import FileLine, Left

BUILT_IN_JOBS = ("flaky", "ping_if_well", "sleep", "sum_range", "webhook", "wordcount")
"""Job types that are there without any configuration: no command may have their names."""
DEFAULT_POOLS = ("default",)
"""Pools that are there without any configuration: no program may have their names."""
_LONGEST = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_WORD = re.compile(r"[A-Za-z][\w:.-]*", re.ASCII)
_VERSION = re.compile(r"(?<=[a-z])[0-9.]+\Z", re.ASCII)
_RUNNERS_TEXT = """
python php perl ruby node bash sh dash zsh java npm npx yarn bundle exec poetry pipenv uv run env
nice ionice nohup sudo time timeout flock chronic setsid run-one docker podman compose
docker-compose cd test
"""
_RUNNERS = frozenset(_RUNNERS_TEXT.split())
"""Programs whose name tells little about what they run."""


def name_of(words: list[str]) -> str:
    """Return a name for a command: its program, and the next argument if that is a word.

    `php /srv/artisan schedule:run --quiet` is `artisan-schedule-run`, and
    `find /srv/mail -delete` is `find-mail`.
    """
    bare = [word for word in words if word and not word.startswith("-")]
    telling = [word for word in bare if _says_something(word)]
    if not telling:
        return as_name(_last_part(bare[0])) if bare else "job"
    first, *rest = (_last_part(word) for word in telling)
    second = [word for word in rest[:1] if _WORD.fullmatch(word)]
    return as_name("-".join([first, *second]))


def as_name(text: str) -> str:
    """Return the text as the name of an entry: other characters become a dash."""
    name = _NOT_IN_NAMES.sub("-", text).strip("-._")[:_LONGEST]
    return name if NAME.fullmatch(name) else "job"


def renamed(position: FileLine, wanted: str, name: str) -> list[Left]:
    """Return a note that an entry has another name than in the file; empty if it has the same."""
    if name == wanted:
        return []
    why = f"the name {wanted!r} is that of a pool, or of an earlier entry"
    if wanted != as_name(wanted):
        why = "a name has letters, digits, _ . and -, and begins with a letter or digit"
    return [Left(position, wanted, why, f"it is called {name}")]


class UniqueNames:
    """Gives each name only once. `taken` are the names that are in use already."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def unique(self, name: str) -> str:
        """Return the name, or with the first number after it that makes it a new one."""
        number, made = 2, name
        while made in self._taken:
            made = f"{name[: _LONGEST - len(str(number)) - 1]}-{number}"
            number += 1
        self._taken.add(made)
        return made


def _says_something(word: str) -> bool:
    program = _VERSION.sub("", word.rpartition("/")[2])
    return bool(re.search("[A-Za-z]", program)) and program not in _RUNNERS and "=" not in word


def _last_part(word: str) -> str:
    """Return a path's last part without the ending of a script."""
    return re.sub(r"\.(py|sh|php|pl|rb|js|bash)\Z", "", word.rstrip("/").rpartition("/")[2])
