"""Reads SQL files in which each query follows a line `-- name: word-word`.

The comment lines right under the name state the query's purpose. They are part of the text, so
that a slow-query log or EXPLAIN shows them. What several queries have in common, for example the
columns that one data class is made of, follows a line `-- part: word-word` once; each query that
has `{word-word}` gets it, without its comment.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache

from orpheus.shared.resources import folder_of

_NAME = re.compile(r"-- (name|part): ([a-z][a-z0-9-]*)\n")  # with a ^ it takes five times as long
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_PART = re.compile(r"\{([a-z][a-z0-9-]*)\}")


class SqlFile:
    """The named queries of one file: `queries["lease-job"]` is the SQL text."""

    def __init__(self, text: str, source: str) -> None:
        names = list(_NAME.finditer(text))
        ends = [match.start() for match in names[1:]] + [len(text)]
        queries: dict[str, str] = {}
        parts: dict[str, str] = {}
        for match, end in zip(names, ends, strict=True):
            kind, name = match.groups()
            if name in queries or name in parts:
                raise ValueError(f"{source}: the name {name!r} is used twice")
            body = text[match.end() : end].strip()
            if kind == "part":
                parts[name] = _COMMENT.sub("", body)
            else:
                queries[name] = body

        def with_parts(body: str) -> str:
            return _PART.sub(
                lambda named: with_parts(parts[named[1]]) if named[1] in parts else named[0], body
            )

        self._texts = {name: with_parts(body) for name, body in queries.items()}

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def load_queries(package: str, file: str, adapted: Callable[[str], str]) -> SqlFile:
    """Read the queries of `file`: those in `package`, and as `adapted` returns it the shared text.

    The file `parts.sql` of the package has parts for all its files. Raises FileNotFoundError.
    """
    own, shared = _text_of(package, file), _text_of("orpheus.shared.storage.sql", file)
    if not own and not shared:
        raise FileNotFoundError(f"neither {package} nor orpheus.shared.storage.sql has {file}")
    return SqlFile(_parts_of(package) + own + adapted(shared), file)


@cache
def _parts_of(package: str) -> str:
    return _text_of(package, "parts.sql")


def _text_of(package: str, file: str) -> str:
    try:
        return (folder_of(package) / file).read_text(encoding="utf-8")
    except FileNotFoundError:  # all its queries are shared, or none
        return ""
