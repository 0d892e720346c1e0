"""Reads SQL files in which each query follows a line `-- name: word-word`.

The comment lines right under the name state the query's purpose. They are part of the text, so
that a slow-query log or EXPLAIN shows them. What several queries of a file have in common, for
example the columns that one data class is made of, follows a line `-- part: word-word` once; each
query below that has `{word-word}` gets it, without its comment.
"""

import re
from collections.abc import Iterator

from orpheus.shared.resources import folder_of

_NAME = re.compile(r"^-- (name|part): ([a-z][a-z0-9-]*)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


class SqlFile:
    """The named queries of one file: `queries["lease-job"]` is the SQL text."""

    def __init__(self, text: str, source: str) -> None:
        names = list(_NAME.finditer(text))
        ends = [match.start() for match in names[1:]] + [len(text)]
        self._texts: dict[str, str] = {}
        parts: dict[str, str] = {}
        for match, end in zip(names, ends, strict=True):
            kind, name = match.groups()
            if name in self._texts or name in parts:
                raise ValueError(f"{source}: the name {name!r} is used twice")
            body = text[match.end() : end].strip()
            for part, its_text in parts.items():
                body = body.replace(f"{{{part}}}", its_text)
            if kind == "part":
                parts[name] = _COMMENT.sub("", body)
            else:
                self._texts[name] = body

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def load_queries(package: str, file: str) -> SqlFile:
    """Read the queries of `file` inside `package`."""
    text = folder_of(package).joinpath(file).read_text(encoding="utf-8")
    return SqlFile(text, file)
