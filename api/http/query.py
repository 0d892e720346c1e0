"""The query of a URL: each parameter may be given once.

Of two, the framework would silently take the last, though the caller may mean both.
"""

from collections import Counter
from urllib.parse import parse_qsl

from starlette.types import Scope

from orpheus.api.http.problems import refused_fields
from orpheus.shared.domain.json_values import json_pointer
from orpheus.shared.errors import FieldProblem


def check_query(scope: Scope) -> None:
    """Raise Refusal (422) that names each parameter that is given more than once."""
    query: bytes = scope.get("query_string", b"")  # a WebSocket may have none
    if b"&" not in query:
        return
    given = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    repeated = [name for name, times in given.items() if times > 1]
    if repeated:
        raise refused_fields(
            [FieldProblem(json_pointer([name]), "is given twice") for name in repeated]
        )
