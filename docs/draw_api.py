"""Draws the page of the Python API from signatures and docstrings, without importing anything."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEMPLATE = """# Python API

The classes and functions that jobs, applications and tests import.

## Job types

`from orpheus import job, Context`. [Writing jobs](jobs.md) explains them.

{shared/job_types/registry.py: job}
{shared/job_types/request.py: JobRequest Options}

## What a job can use

An `async def` job may annotate `AsyncContext`: the same, but `step`, `sleep`, `wait_signal` and
`gather` are awaited, and `resume` is for `async for`.

{shared/job_types/context.py: CommonContext+Context Results}

## What a job raises

`from orpheus import PermanentError, Snooze`, and so on.

| exception | is a | meaning |
| --- | --- | --- |
{| shared/job_types/context.py: PermanentError Snooze SignalTimeout ChildFailed JobCancelled}
{| shared/job_types/context.py: JobTimeout}

## Clients

`from orpheus import Client, AsyncClient`. `AsyncClient` has the same methods: await them, and use
`async for` over what iterates. [Clients](clients.md) explains them.

{orpheus/client/blocking.py: Client}

## What clients return

`from orpheus.client import Job, Attempt`, and so on. The [HTTP API](http.md) has the same fields.

{shared/messages/jobs.py: JobState+ListedJob+Job Attempt Event LogLine}
{orpheus/client/following.py: Progress}
{shared/messages/steps.py: JobStep Signal}

## What clients raise

`from orpheus.client import NotFound`, and so on.

| exception | is a | meaning |
| --- | --- | --- |
{| shared/errors.py: OrpheusError ConfigurationError InvalidJob NotFound TransitionRefused}
{| shared/errors.py: WaitTimedOut Unavailable DatabaseAway DatabaseBusy DatabaseFull}
{| shared/errors.py: DatabaseUnusable TooLarge Unauthorized UnexpectedAnswer}

## Tests

`from orpheus.testing import run, Harness`. [Testing jobs](testing-jobs.md) explains them.

{orpheus/testing/single.py: run Ran}
{orpheus/testing/harness.py: Harness}

## Outbox

`from orpheus import outbox`. [Outbox](outbox.md) explains it.

{orpheus/outbox.py: add signal insert insert_signal}

`python docs/draw.py` generates this page from the docstrings. Edit these, not this page.
"""
"""{FILE: NAMES} becomes what these are; with |, rows of a table. A+B: B with its base A."""
TYPES = {"Time": "datetime", "Seconds": "float", "AttemptNumber": "int"}
"""What a type is that only says how JSON has it."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def api_page() -> str:
    """Return the page."""
    wanted = re.compile(r"\{(\| )?(.+): (.+)\}")
    page = wanted.sub(lambda found: "\n".join(_drawn(*found.groups())), TEMPLATE)
    return re.sub(r"\n{3,}", "\n\n", page)


def _drawn(row: str | None, file: str, names: str) -> Iterator[str]:
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for name in names.split():
        found = [node for node in body if getattr(node, "name", None) in name.split("+")]
        assert found, f"{file} has no {name}"
        classes = [node for node in found if isinstance(node, ast.ClassDef)]
        if not classes:
            yield from _function([node for node in found if isinstance(node, Function)])
        elif row:
            base = ast.unparse(classes[-1].bases[0])
            yield f"| `{name}` | `{base}` | {' '.join(_text(classes[-1]).split())} |"
        else:
            yield from _class(classes)


def _text(node: ast.ClassDef | Function) -> str:
    return ast.get_docstring(node) or ""


def _class(nodes: Sequence[ast.ClassDef]) -> Iterator[str]:
    """Yield the members of a class and of the bases that are given with it."""
    yield from ("", f"### `{nodes[-1].name}`", "", _text(nodes[-1]), "")
    members = [member for node in nodes for member in node.body]
    rows = []
    for member, after in zip(members, [*members[1:], ast.Pass()], strict=True):
        match member, after:
            case ast.AnnAssign(ast.Name(name), kind), ast.Expr(ast.Constant(str(text))):
                rows.append((name, kind, text))
            case ast.AnnAssign(ast.Name(name), kind), _:
                rows.append((name, kind, ""))
            case ast.FunctionDef(name, returns=ast.expr() as kind), _ if _is_property(member):
                rows.append((name, kind, _text(member)))
    if rows:
        yield from ("| attribute | type | meaning |", "| --- | --- | --- |")
    for name, kind, text in rows:
        yield f"| `{name}` | `{_type(kind)}` | {' '.join(text.split())} |"
    methods = [part for part in members if isinstance(part, Function) and not _is_property(part)]
    for name in dict.fromkeys(method.name for method in methods if _text(method)):
        if name == "__init__" or not name.startswith("_"):
            same = [method for method in methods if method.name == name]
            yield from _function(same, f"{nodes[-1].name}.")


def _type(kind: ast.expr) -> str:
    """Return a type as a cell of a table shows it."""
    text = re.sub(r"Annotated\[(\w+),.*\]", r"\1", ast.unparse(kind)).replace(" | ", " or ")
    return re.sub(r"\w+", lambda name: TYPES.get(name[0], name[0]), text)


def _is_property(node: ast.stmt) -> bool:
    return isinstance(node, Function) and "property" in map(ast.unparse, node.decorator_list)


def _function(nodes: Sequence[Function], owner: str = "") -> Iterator[str]:
    """Yield the ways to call one function, and its docstring."""
    *overloads, last = nodes
    is_new = last.name == "__init__"
    name = owner.rstrip(".") if is_new else last.name
    heading = "" if is_new else f"{'####' if owner else '###'} `{owner}{name}`"
    yield from ("", heading, "", "```python")
    for function in overloads or [last]:
        arguments = re.sub(r"^self(, )?(/, )?", "", ast.unparse(function.args))
        arguments = re.sub(r"(?<=[\w\])])=", " = ", arguments)
        end = ")" if is_new or function.returns is None else f") -> {ast.unparse(function.returns)}"
        if len(f"{name}({arguments}{end}") > 90:
            parts = re.split(r", (?![^\[(]*[\])])", arguments)
            arguments = "".join(f"\n    {part}," for part in parts) + "\n"
        yield f"{name}({arguments}{end}"
    yield from ("```", "", _text(last), "")
