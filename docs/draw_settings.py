"""Draws the JSON Schema of the configuration and the page of settings.

Types and ranges are those of `config/settings.py`. Defaults and meanings are taken, as they are
written, from `config/orpheus.toml`.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orpheus.config.settings import Settings
from orpheus.config.values import SIZE, matched, parse_size_bytes
from orpheus.shared.domain.alerts import KINDS
from orpheus.shared.durations import PATTERN, parse_duration_s

FILE = Path(__file__).parents[1] / "config" / "orpheus.toml"
TEXT_WITH_UNIT = {parse_duration_s: PATTERN, parse_size_bytes: f"^{SIZE.pattern}$"}
"""Which functions read a number or text, and the pattern of the text."""
BY_NAME = ("pools", "queues")
"""The tables below these have names of their own."""
RENAMED = {"gt": "exclusiveMinimum", "ge": "minimum"}
"""How JSON Schema names what pydantic leaves as it is."""

HEAD = """# Settings

The configuration is a TOML file, `config/orpheus.toml` or `orpheus.toml`. `--set KEY=VALUE` wins
over a variable (`ORPHEUS_API__PORT=9000`), a variable wins over the file, and the file wins over
the default. Durations are seconds, or `"500ms"`, `"30s"`, `"15m"`, `"2h"`, `"7d"`; sizes are bytes,
or `"64KiB"`, `"1MiB"`. `orpheus config check` lists every mistake, and `orpheus config show` prints
what is in force, and why.

Editors with a TOML language server (Taplo, Even Better TOML) complete and check the file if its
first line names the schema: `#:schema ./orpheus.schema.json`. `orpheus init` writes both;
`orpheus config schema > orpheus.schema.json` writes the schema again after an upgrade.
"""
NOTE = """
`python docs/draw.py` generates this page from the comments of `config/orpheus.toml`. Edit these,
not this page.
"""


class Setting(NamedTuple):
    """A setting as it is written in the file, also in a comment."""

    table: str
    key: str
    default: str
    meaning: str


class SchemaOfToml(GenerateJsonSchema):
    """The schema of a TOML file: it has no null, and numbers may be text with a unit."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema without null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema with its default, but for None."""
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a table; keys that do not fit their pattern are refused."""
        table = super().dict_schema(schema)
        return {**table, "additionalProperties": False} if "patternProperties" in table else table

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a number; as text, too, if the function reads it."""
        inner = super().function_before_schema(schema)
        pattern = TEXT_WITH_UNIT.get(schema["function"]["function"])
        return {"anyOf": [inner, {"type": "string", "pattern": pattern}]} if pattern else inner

    def function_after_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of text, with its pattern if the function checks one."""
        inner, check = super().function_after_schema(schema), schema["function"]["function"]
        if isinstance(check, partial) and check.func is matched:
            return {**inner, "pattern": f"^(?:{check.args[0].pattern})$"}
        return inner


@cache
def settings() -> tuple[Setting, ...]:
    """Return every setting of the file."""
    return tuple(_settings(FILE.read_text(encoding="utf-8").splitlines()))


def _settings(lines: list[str]) -> Iterator[Setting]:
    table = ""
    for line in lines:
        if header := re.match(r"(?:# )?(\[+)([a-z]+)(\.\w+)?(\]+)$", line):
            below = header[3] or ""
            if header[2] in BY_NAME:
                below = ".NAME" if below else ""
            table = header[1] + header[2] + below + header[4]
        elif row := re.match(r"(?:# )?([a-z_]+) = (.*\S)\s+# (.+)", line):
            yield Setting(table, *row.groups())


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    whole: dict[str, Any] = _named(Settings.model_json_schema(schema_generator=SchemaOfToml))
    for setting in settings():
        entry = table_schema(whole, setting.table)["properties"][setting.key]
        entry["description"] = setting.meaning
        if not setting.meaning.startswith("default: ") and "default" in entry:
            entry["default"] = tomllib.loads(f"default = {setting.default}")["default"]
        else:
            entry.pop("default", None)
    table_schema(whole, "[[alerts]]")["properties"]["on"]["items"]["enum"] = sorted(KINDS)
    # Taplo knows this version best.
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole, "title": "Orpheus"}


def _named(part: Any) -> Any:
    """Return a part of the schema without titles, which only repeat names."""
    if isinstance(part, list):
        return [_named(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {RENAMED.get(k, k): _named(v) for k, v in part.items() if k != "title"}


def table_schema(whole: dict[str, Any], table: str) -> dict[str, Any]:
    """Return the schema of one table, as its header is written."""
    found = whole
    for name in table.strip("[]").removesuffix(".NAME").split("."):
        reference = re.search(r'"#/\$defs/(\w+)"', json.dumps(found["properties"][name]))
        assert reference
        found = whole["$defs"][reference[1]]
    return found


def schema_file() -> str:
    """Return the text of `config/orpheus.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def settings_page() -> str:
    """Return the page of settings."""
    lines, table = [HEAD.rstrip()], ""
    for setting in settings():
        found = table_schema(schema(), setting.table)
        if setting.table != table:
            table = setting.table
            lines += ["", f"## `{table}`", "", found["description"], ""]
            lines += ["| setting | default | meaning |", "| --- | --- | --- |"]
        default = f"`{setting.default}`" if "default" in found["properties"][setting.key] else ""
        if setting.key in found.get("required", ()):
            default = "required"
        lines.append(f"| `{setting.key}` | {default} | {setting.meaning.replace('|', '&#124;')} |")
    return "\n".join([*lines, NOTE])
