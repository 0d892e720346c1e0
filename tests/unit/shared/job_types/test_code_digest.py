"""The digest changes with the code of an application, and with nothing else."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from orpheus.shared.job_types.code_digest import code_digest

Digest = Callable[[], str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an application, whose job module imports another one."""
    (tmp_path / "shop_of_test").mkdir()
    (tmp_path / "shop_of_test/__init__.py").touch()
    (tmp_path / "shop_of_test/jobs.py").write_text("from helper_of_test import HELP\n")
    (tmp_path / "helper_of_test.py").write_text("HELP = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("shop_of_test.jobs")
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0].endswith("_of_test")]:
        del sys.modules[name]


@pytest.fixture
def digest(shop: Path) -> Digest:
    assert shop.exists()
    return lambda: code_digest(["shop_of_test.jobs"])


@pytest.mark.parametrize("file", ["shop_of_test/jobs.py", "helper_of_test.py"])
def test_it_changes_with_what_the_job_modules_are_and_import(
    shop: Path, digest: Digest, file: str
) -> None:
    before, path = digest(), shop / file
    path.touch()
    assert digest() == before, "only the time has changed"
    path.write_text(f"{path.read_text()}# mended\n")
    changed = digest()
    assert changed != before
    path.unlink()
    assert digest() not in (before, changed)


def test_it_changes_with_what_a_job_imports_only_while_it_runs(shop: Path, digest: Digest) -> None:
    (shop / "shop_of_test/later").mkdir()
    (shop / "shop_of_test/later/prices.py").write_text("PRICE = 1\n")
    before = digest()
    (shop / "shop_of_test/later/prices.py").write_text("PRICE = 2\n")
    assert digest() != before


def test_what_else_is_installed_does_not_matter(shop: Path, digest: Digest) -> None:
    """Hosts with the same application have the same digest, whatever else each of them has."""
    before = digest()
    (shop / "pillow-11.1.0.dist-info").mkdir()
    assert digest() == before


def test_code_that_is_not_imported_does_not_matter(shop: Path, digest: Digest) -> None:
    before = digest()
    (shop / "notes.py").write_text("NOTES = 1\n")
    assert digest() == before


def test_the_code_of_orpheus_is_no_code_of_an_application(
    tmp_path: Path, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest()
    module = ModuleType("orpheus.of_test")
    module.__file__ = str(tmp_path / "of_test.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert digest() == before
