"""Values on their way to PostgreSQL and back: the verbs see the same as with SQLite.

There are integers, floats, texts and NULL. Flags are the integers 0 and 1, and JSON is text.
"""

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types.array import ListDumper
from psycopg.types.numeric import FloatDumper, FloatLoader, Int8Dumper, IntLoader
from psycopg.types.string import StrDumperUnknown, TextLoader

_REPLACEMENT = "\ufffd"


class _TextDumper(StrDumperUnknown):
    """Sends text without a type: the server infers it. A NUL, which it refuses, is replaced."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", _REPLACEMENT) if "\0" in obj else obj)


class _FlagDumper(Int8Dumper):
    def dump(self, obj: int) -> Buffer | None:
        return super().dump(int(obj))


class _FlagLoader(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _NumericLoader(Loader):
    """Reads `numeric`, which is the type of a sum of integers."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


_LOADERS: dict[str, type[TextLoader] | type[IntLoader] | type[FloatLoader]] = {
    **dict.fromkeys(("text", "varchar", "name"), TextLoader),
    **dict.fromkeys(("int2", "int4", "int8"), IntLoader),
    **dict.fromkeys(("float4", "float8"), FloatLoader),
}
"""Psycopg's own, unless the application has registered others."""


def adapt(context: AdaptContext) -> None:
    """Let a connection or a cursor convert values so.

    Every integer is sent as a bigint: else one query would be prepared for each size of integer.
    """
    adapters = context.adapters
    adapters.register_dumper(str, _TextDumper)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _FlagDumper)
    adapters.register_loader("bool", _FlagLoader)
    adapters.register_loader("numeric", _NumericLoader)
    for text in ("json", "jsonb"):
        adapters.register_loader(text, TextLoader)


def adapt_alone(cursor: AdaptContext) -> None:
    """Let a cursor convert values so, whatever the application has registered on its connection."""
    adapt(cursor)
    cursor.adapters.register_dumper(float, FloatDumper)
    cursor.adapters.register_dumper(list, ListDumper)
    for name, loader in _LOADERS.items():
        cursor.adapters.register_loader(name, loader)
