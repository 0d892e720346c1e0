"""Fields of payloads and results that only the job sees: how they are named, and masked for others.

Pure. A rule is a path such as `payload.card` or `result.*.token`; `*` is any key or index. Rules
stand in `[privacy] hide`, for all types, and in `@job(hide=…)`.

A handler copies values into log lines, steps and signals. There a field is also hidden if only its
name is the last one of a rule, however deep it is.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

import msgspec
from msgspec import Raw

from orpheus.shared.domain.alerts import WEBHOOK_TYPE

MASK = "••••••••"
"""Replaces a value that is not shown. In a new text of the configuration it means: keep it."""
IS_HIDDEN = "is hidden: give its value"
_ANY = "*"
_MASK_JSON = json.dumps(MASK, ensure_ascii=False)
_SEGMENT = re.compile(r"[\w-]+|\*")
_STORED_NAME = re.compile(r"^.*\] |#\d+$", re.DOTALL)
_WHOLE = ("payload", "result")
_RULE = "must be a path such as payload.card, payload.*.password or result.token"

Path = tuple[str, ...]


class Rules(msgspec.Struct, frozen=True, dict=True):
    """The hidden paths of jobs of one type, without their first word."""

    payload: tuple[Path, ...] = ()
    result: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is hidden."""
        return bool(self.payload or self.result)

    def __or__(self, other: "Rules") -> "Rules":
        """Return the rules of both."""
        return Rules(
            tuple(dict.fromkeys(self.payload + other.payload)),
            tuple(dict.fromkeys(self.result + other.result)),
        )

    @property
    def written(self) -> list[str]:
        """The rules as paths that begin with `payload.` or `result.`."""
        return [".".join(path) for path in self.whole]

    @property
    def whole(self) -> list[Path]:
        """The paths with their first word, as they are in the JSON of a job."""
        return [
            *(("payload", *path) for path in self.payload),
            *(("result", *path) for path in self.result),
        ]

    @cached_property
    def anywhere(self) -> tuple[Path, ...]:
        """The paths by which fields of log lines are hidden."""
        return (*self.payload, *self.result, *self.whole)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that hide a field of a log line, a step or a signal, however deep it is."""
        last = {path[-1] for path in self.payload + self.result}
        return frozenset(name for name in last if name != _ANY and not name.isdecimal())


NO_RULES = Rules()


class Hidden(msgspec.Struct, frozen=True):
    """The rules of every type."""

    everywhere: Rules = NO_RULES
    """For types that have no rules of their own."""
    of_types: Mapping[str, Rules] = {}
    """With those of `everywhere`."""

    def of(self, job_type: str) -> Rules:
        """Return the rules for jobs of a type."""
        return self.of_types.get(job_type, self.everywhere)

    @property
    def of_all(self) -> Rules:
        """All rules together, for what belongs to no type: signals."""
        found = self.everywhere
        for name, rules in self.of_types.items():
            if name != WEBHOOK_TYPE:
                found |= rules
        return found

    def hiding(self, paths: Sequence[Path]) -> list[str] | None:
        """Return the types of which one of these paths of the payload is hidden; None: all types.

        The path `()` stands for the whole payload, with which all that is hidden is shown.
        """
        if _any_hidden(self.everywhere.payload, paths):
            return None
        return [name for name, rules in self.of_types.items() if _any_hidden(rules.payload, paths)]


NOTHING_HIDDEN = Hidden()
_OF_WEBHOOKS = Rules((("url",), ("headers", _ANY)))


def parse_rule(text: str, default: str | None = None) -> Path:
    """Return the path of a rule. `default`: the first word of a path that has none.

    Raises ValueError, which says why it is not one.
    """
    path = tuple(text.split("."))
    if not all(map(_SEGMENT.fullmatch, path)):
        raise ValueError(_RULE)
    if path[0] not in _WHOLE or len(path) == 1:
        if default is None:
            raise ValueError(_RULE)
        path = (default, *path)
    return path


@lru_cache(maxsize=1_024)
def rules_of(written: str) -> Rules:
    """Return the rules of paths that are separated by spaces. Raises ValueError."""
    found = dict.fromkeys(map(parse_rule, written.split()))
    return Rules(*(tuple(path[1:] for path in found if path[0] == whole) for whole in _WHOLE))


def hidden_by(everywhere: Iterable[str], of_types: Mapping[str, Iterable[str]]) -> Hidden:
    """Return the rules of all types and of each. Raises ValueError.

    The address of a webhook is always hidden: whoever has it can write there.
    """
    rules = rules_of(" ".join(everywhere))
    own = {name: rules_of(" ".join(paths)) for name, paths in of_types.items()}
    own[WEBHOOK_TYPE] = own.get(WEBHOOK_TYPE, NO_RULES) | _OF_WEBHOOKS
    return Hidden(rules, {name: rules | more for name, more in own.items() if more})


def masked(text: str, paths: Sequence[Path]) -> str:
    """Return JSON with the mask at these paths; all else stays as it is, large integers too."""
    return _shown(text, paths, frozenset()) if paths else text


def masked_anywhere(text: str, rules: Rules) -> str:
    """Return the JSON of the fields of a log line with the mask in those that are hidden."""
    return _shown(text, rules.anywhere, rules.names) if rules else text


def masked_named(name: str, text: str, rules: Rules) -> str:
    """Return the JSON of a step's result or a signal's payload; its own name may hide it all.

    A step that is done again is stored as `card#2`, and one inside a cursor as `pages[1] card`.
    """
    given = _STORED_NAME.sub("", name)
    return _MASK_JSON if {name, given} & rules.names else masked_anywhere(text, rules)


def masked_places(payload: object, paths: Sequence[Path]) -> Iterator[Path]:
    """Yield where a payload has the mask in place of a hidden value."""
    return (place for place, value in _found(payload, paths) if value == MASK)


def holds_hidden(payload: object, paths: Sequence[Path]) -> bool:
    """Return whether a payload has a hidden field."""
    return bool(paths) and any(True for _ in _found(payload, paths))


def not_hidden_by(payload: object, paths: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    """Return the fields that `paths` hide in a payload and `others` do not."""
    return [place for place, _ in _found(payload, paths) if not _any_hidden(others, [place])]


def leads_to_hidden(path: Path, paths: Sequence[Path]) -> bool:
    """Return whether a field is hidden, lies in what is, or has something hidden in it."""
    return any(
        all(part in (_ANY, name) for part, name in zip(rule, path, strict=False)) for rule in paths
    )


def _any_hidden(rules: Iterable[Path], paths: Sequence[Path]) -> bool:
    """Return whether one of `paths` is hidden, or lies in what is."""
    return any(_covers(rule, path) for rule in rules for path in paths)


def _covers(rule: Path, path: Path) -> bool:
    if not path:
        return True
    return len(rule) <= len(path) and all(
        part in (_ANY, name) or (part.isdecimal() and name.isdecimal())  # 01 is the index 1
        for part, name in zip(rule, path, strict=False)
    )


def below(paths: Sequence[Path], name: str) -> list[Path]:
    """Return the rest of the paths that lead to a member; `()`: the member itself is hidden."""
    return [path[1:] for path in paths if path[0] in (_ANY, name)]


def _found(value: object, paths: Sequence[Path], at: Path = ()) -> Iterator[tuple[Path, object]]:
    members: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        members = value.items()
    elif isinstance(value, (list, tuple)):
        members = enumerate(value)
    for key, member in members:
        name = str(key)
        inside = below(paths, name)
        if () in inside:
            yield (*at, name), member
        elif inside:
            yield from _found(member, inside, (*at, name))


def _shown(text: str, paths: Sequence[Path], names: frozenset[str]) -> str:
    try:
        return bytes(_masked(Raw(text.lstrip()), paths, names)).decode()
    except (msgspec.DecodeError, UnicodeError):  # the beginning of a long text, for example
        return _MASK_JSON


def _masked(raw: Raw, paths: Sequence[Path], names: frozenset[str]) -> Raw:
    """Return JSON with its hidden values masked; only what is on the way to them is decoded."""
    start = bytes(memoryview(raw)[:64]).lstrip()[:1]
    if start == b"{":
        members = msgspec.json.decode(raw, type=dict[str, Raw])
        found = {name: _member(name, value, paths, names) for name, value in members.items()}
        return raw if found == members else Raw(msgspec.json.encode(found))
    if start == b"[":
        items = msgspec.json.decode(raw, type=list[Raw])
        shown = [_member(str(n), value, paths, names) for n, value in enumerate(items)]
        return raw if shown == items else Raw(msgspec.json.encode(shown))
    return raw


def _member(name: str, value: Raw, paths: Sequence[Path], names: frozenset[str]) -> Raw:
    inside = below(paths, name)
    if () in inside or name in names:
        return Raw(_MASK_JSON)
    return _masked(value, inside, names) if inside or names else value
