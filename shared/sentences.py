"""What is wrong with a value or a name, as a sentence that helps its author."""

from collections.abc import Iterable, Mapping
from typing import Any

_WHOLE = "must be a whole number without quotes, such as 4"
_TRUTH = "must be true or false, without quotes"
_NUMBER = "must be a number without quotes, such as 0.5"
_SENTENCES = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "string_type": 'must be text in quotes, such as "text"',
    "list_type": 'must be a list, such as ["a", "b"]',
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "string_too_short": "must not be empty",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def sentence(found: Mapping[str, Any]) -> str:
    """Return what pydantic found wrong; `found` is one of the `errors()` of a ValidationError."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"must be {words} {_plain(context[name])}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    message = str(found["msg"])
    for subject in ("Input", "String", "List", "Value"):
        message = message.replace(f"{subject} should ", "must ", 1)
    return message


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'mail'?`, or nothing if no known name is similar."""
    near = similar(name, known)
    return "" if near is None else f"; did you mean {near!r}?"


def similar(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that is most similar; None if none has this likeness (1: equal)."""
    import difflib  # noqa: PLC0415 - few have a typo to explain

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), None)
