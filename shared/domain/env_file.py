"""The variables in the `env_file` of a program.

It imports only the standard library: a program is started without the installed packages
(shared/process/program_start.py).
"""

import re

_ASSIGNMENT = re.compile(r"(?:export\s+)?([^\s=#]+)\s*=\s*(.*)")
_COMMENT = re.compile(r"\s#.*")
_QUOTES = "'\""


def parse_env_file(text: str) -> dict[str, str]:
    """Return the variables of a file of lines `NAME=value`, as Docker and systemd read them.

    Empty lines and those that begin with # are skipped; a value may stand in quotes, and `export`
    before a name. Nothing is expanded. Raises ValueError that names the line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";")):
            continue
        match = _ASSIGNMENT.fullmatch(stripped)
        if match is None or "\0" in stripped or match[1].startswith("_ORPHEUS_"):
            raise ValueError(f"line {number} is not NAME=value")
        value = match[2]
        if value[:1] and value[0] in _QUOTES:
            end = value.find(value[0], 1)
            if end < 0 or _COMMENT.sub("", value[end + 1 :]).strip():
                raise ValueError(f"line {number} has a quote that does not close at its end")
            value = value[1:end]
        else:
            value = _COMMENT.sub("", value).rstrip()
        found[match[1]] = value
    return found
