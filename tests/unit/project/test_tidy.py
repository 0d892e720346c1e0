"""What holds for every file: its size, its first sentence, one meaning a name, paths that exist.

The lists of exceptions only shrink: an entry that is no longer needed fails too.
"""

import ast
import io
import re
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("tidy")  # in one process each file is read once

ROOT = Path(__file__).parents[3]
PRODUCT = ("api", "config", "orpheus", "shared", "supervisor", "worker")
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
LONGEST_MODULE_OF_THE_DASHBOARD = 200

TOO_LONG_FILES: set[str] = set()
TOO_LONG_FUNCTIONS: set[str] = set()
TOO_LONG_MODULES: set[str] = set()
NAMED_FROM_OUTSIDE = {
    "api/contract/": "the names in openapi.json and docs/stream.md",
    "shared/views/": "the same",
    "orpheus/client/": "the names that an application imports, for what the API shows",
    "config/settings.py": "a class for each table of orpheus.toml",
    "shared/storage/verbs/": "a class for each noun of the store: `store.jobs` is Jobs",
}
"""Where classes have the names that users read. Such a name may occur again elsewhere, but not in
the same scope."""
SAME_NAMES = {
    "Loop": "the supervisor and a worker have one each, and neither imports the other",
}
"""Names of several classes, with the reason."""
NOT_OURS = {
    "README.md: my_jobs.py",
    "docs/crontab.md: report.sh",
    "docs/deploy.md: supervisor.lock",
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


def test_no_python_file_is_too_long() -> None:
    found = {name for name in python_files() if text_of(name).count("\n") > LONGEST_FILE}
    assert found == TOO_LONG_FILES


def test_no_module_of_the_dashboard_is_too_long() -> None:
    modules = [name for name in files() if name.endswith(".js") and name.startswith("api/")]
    assert modules
    found = {
        name for name in modules if text_of(name).count("\n") > LONGEST_MODULE_OF_THE_DASHBOARD
    }
    assert found == TOO_LONG_MODULES


def statements(block: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in it, at any depth: an eighth of what `ast.walk` would go through."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        below = getattr(block, field, ())
        for one in below if isinstance(below, list) else ():  # a lambda's body is none
            yield one
            yield from statements(one)


def functions(name: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function of a file, and its number of lines."""
    for node in statements(tree_of(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_function_is_too_long() -> None:
    found = {
        f"{name}::{function}"
        for name in python_files()
        for function, lines in functions(name)
        if lines > LONGEST_FUNCTION
    }
    assert found == TOO_LONG_FUNCTIONS


def test_dataclasses_of_the_product_are_those_that_are_cheap_to_import() -> None:
    others = {
        name
        for name in python_files(*PRODUCT)
        if name != "shared/records.py" and "dataclasses" in text_of(name)
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if any(one.name == "dataclass" for one in node.names)
    }
    assert others == set(), "import it from orpheus.shared.records: see docs/adr/0031"


def test_every_folder_of_the_product_says_what_it_holds() -> None:
    folders = {str(Path(name).parent) for name in python_files(*PRODUCT)}
    inits = {f"{folder}/__init__.py" for folder in folders}
    assert inits - set(files()) == set()
    assert {name for name in inits if not ast.get_docstring(tree_of(name))} == set()


def scope_of(name: str) -> str:
    """Return the scope within which a class of this file must have its name for itself."""
    return next((scope for scope in NAMED_FROM_OUTSIDE if name.startswith(scope)), "elsewhere")


def test_no_two_classes_have_the_same_name() -> None:
    found = defaultdict(list)
    for name in python_files(*PRODUCT):
        for node in tree_of(name).body:
            if isinstance(node, ast.ClassDef):
                found[scope_of(name), node.name].append(name)
    same = {name: where for (_, name), where in found.items() if len(where) > 1}
    assert set(same) == set(SAME_NAMES), same


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
        if "/migrations/" not in name  # never edited, so they name files as these were called then
        if "/importing/files/" not in name  # files of other projects
        if not (name.endswith(".py") and says_nothing_unknown(name))
        for text in prose(name)
        for path in paths_in(text)
        if path not in known_paths()
    }
    assert missing == NOT_OURS
