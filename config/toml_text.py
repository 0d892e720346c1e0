"""Read TOML, but not what nests so deeply that to walk it would end in a RecursionError.

The depth is found in the text, before it is parsed: parsers take seconds for such texts.
"""

import re
import tomllib
from typing import Any

MOST_LEVELS = 100
_TOKEN = re.compile(
    r"""
    "{3}(?:[^\\"]++|\\.|"{1,2}(?!"))*+"{0,5}    # strings, which may not have an end
    | '{3}(?:[^']++|'{1,2}(?!'))*+'{0,5}
    | "(?:[^\\"\n]++|\\.)*+"?
    | '[^'\n]*+'?
    | \#[^\n]*+
    | [\[\]{}.,\n]
    """,
    re.VERBOSE | re.DOTALL,
)


def read_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text. Raises TOMLDecodeError, also for one that nests too deeply."""
    refuse_deep(text)
    return tomllib.loads(text)


def refuse_deep(text: str) -> None:
    """Raise TOMLDecodeError if a text nests more than `MOST_LEVELS` lists and tables.

    Each part of a dotted key is a table, too.
    """
    levels, dots = 0, 0
    around: list[int] = []
    """Of each list and table that is open: the levels outside it."""
    for token in _TOKEN.finditer(text):
        match token[0]:
            case ".":
                dots += 1
            case "[" | "{":
                around.append(levels)
                levels, dots = levels + dots + 1, 0
            case "]" | "}":
                levels, dots = around.pop() if around else 0, 0
            case "," | "\n":
                dots = 0
        if levels + dots > MOST_LEVELS:
            raise tomllib.TOMLDecodeError(f"it nests more than {MOST_LEVELS} levels")
