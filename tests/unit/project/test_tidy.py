"""What holds for every file: each folder says what it holds, and paths in prose exist."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("tidy")  # in one process each file is read once

ROOT = Path(__file__).parents[3]
PRODUCT = ("api", "config", "orpheus", "shared", "supervisor", "worker")
NOT_OURS = {
    "README.md: my_jobs.py",
    "docs/crontab.md: report.sh",
    "docs/deploy.md: supervisor.lock",
    "docs/django.md: shop/tasks.py",
    "docs/django.md: shop/tests.py",
    "docs/scaling.md: media.toml",
    "docs/scaling.md: shop.toml",
}
"""Paths in prose that lead to files of the reader."""


@cache
def files() -> tuple[str, ...]:
    """Return every file of the project, as git knows it or would add it; no links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted(set(listed.split("\0")) - {""})
    return tuple(name for name in names if (ROOT / name).is_file())


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tree_of(name: str) -> ast.Module:
    """Parse a file. To keep all trees would cost more: each look for garbage goes through them."""
    return ast.parse(text_of(name))


def python_files(*folders: str) -> list[str]:
    """Return the Python files; of these top-level folders, if given."""
    names = [name for name in files() if name.endswith(".py")]
    return [name for name in names if not folders or name.split("/")[0] in folders]


def test_the_product_has_structs_instead_of_dataclasses() -> None:
    """A dataclass costs 0.5 ms of each start, a msgspec.Struct 0.01 ms."""
    assert [name for name in python_files(*PRODUCT) if "import dataclass\n" in text_of(name)] == []


def test_every_folder_of_the_product_says_what_it_holds() -> None:
    folders = {str(Path(name).parent) for name in python_files(*PRODUCT)}
    inits = {f"{folder}/__init__.py" for folder in folders}
    assert inits - set(files()) == set()
    assert {name for name in inits if not ast.get_docstring(tree_of(name))} == set()


# Paths in prose

PATH = re.compile(
    r"(?<![\w./:{}$*~<>#@%=-])"  # it begins here, and is no URL, no option and no absolute path
    r"(?:[\w.-]+/)*[\w.-]+"
    r"(?:/(?=[\s`\"')\],;:.]|$)|\.(?:py|sql|md|toml|sh|html|css|js|svg|service|yaml|lock|png)\b)"
    r"(?![\w(*{<])"
)
FOLDERS = {*PRODUCT, "tests", "docs", "benchmarks"}


def comments(name: str) -> Iterator[str]:
    """Yield the comments and docstrings of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(text_of(name)).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(tree_of(name)):
        match node:
            case ast.Expr(ast.Constant(str(text))):  # docstrings, and the strings below attributes
                yield text
            case _:
                pass


def prose(name: str) -> Iterator[str]:
    """Yield what a file says in words: a page whole, of code its comments."""
    match Path(name).suffix:
        case ".md":
            yield text_of(name)
        case ".py":
            yield from comments(name)
        case ".sql":
            yield from re.findall(r"--.*", text_of(name))
        case ".toml" | ".yaml" | ".service" | ".sh" | "":
            yield from re.findall(r"(?:^|\s)#.*", text_of(name), re.MULTILINE)
        case ".js" | ".css":
            yield from re.findall(r"//.*|/\*.*?\*/", text_of(name), re.DOTALL)
        case ".html":
            yield from re.findall(r"\{#.*?#\}|<!--.*?-->", text_of(name), re.DOTALL)
        case _:
            pass


@cache
def known_paths() -> frozenset[str]:
    """Return every file and folder, and each end of its path: `loop/act.py` for `supervisor/…`."""
    known: set[str] = set()
    for name in files():
        path = Path(name)
        for whole in (path, *path.parents):
            parts = whole.parts
            known.update("/".join(parts[start:]) for start in range(len(parts)))
    return frozenset(known | {f"orpheus/{name}" for name in known})


def paths_in(text: str) -> Iterator[str]:
    """Yield what is written like a path of this project."""
    for found in PATH.findall(text):
        path = found.rstrip("/").removeprefix("./").removeprefix("../")
        is_folder = found.endswith("/")
        if not is_folder or path.split("/")[0] in FOLDERS:
            yield path


def says_nothing_unknown(name: str) -> bool:
    """Whether the whole text has no unknown path, so that it need not be taken apart."""
    return all(path in known_paths() for path in paths_in(text_of(name)))


def test_every_path_named_in_prose_exists() -> None:
    missing = {
        f"{name}: {path}"
        for name in files()
        if "/importing/files/" not in name  # files of other projects
        if not (name.endswith(".py") and says_nothing_unknown(name))
        for text in prose(name)
        for path in paths_in(text)
        if path not in known_paths()
    }
    assert missing == NOT_OURS
