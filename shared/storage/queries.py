"""Reads SQL files in which each query follows a line `-- name: word-word`.

The comment lines right under the name state the query's purpose. They are part of the text, so
that a slow-query log or EXPLAIN shows them.
"""

import re
from collections.abc import Iterator

from orpheus.shared.resources import folder_of

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9-]*)\s*$", re.MULTILINE)


class SqlFile:
    """The named queries of one file: `queries["lease-job"]` is the SQL text."""

    def __init__(self, text: str, source: str) -> None:
        names = list(_NAME.finditer(text))
        ends = [match.start() for match in names[1:]] + [len(text)]
        self._texts: dict[str, str] = {}
        for match, end in zip(names, ends, strict=True):
            if match[1] in self._texts:
                raise ValueError(f"{source}: the name {match[1]!r} is used twice")
            self._texts[match[1]] = text[match.end() : end].strip()

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def load_queries(package: str, file: str) -> SqlFile:
    """Read the queries of `file` inside `package`."""
    text = folder_of(package).joinpath(file).read_text(encoding="utf-8")
    return SqlFile(text, file)
