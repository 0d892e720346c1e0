"""The wheel and the sdist, of which it is built, hold the whole product and nothing else."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT

pytestmark = pytest.mark.xdist_group("packaging")

FOLDERS = ("api", "config", "shared", "supervisor", "worker")


def files_of(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel but those that describe it."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name
        }


def files_of_the_product() -> dict[str, bytes]:
    """Return every file of the product that git knows, or would add, under its installed name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "--", *FOLDERS, "orpheus"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    names = {path: path.relative_to(ROOT).as_posix() for path in paths if path.is_file()}
    return {
        name if name.startswith("orpheus/") else f"orpheus/{name}": path.read_bytes()
        for path, name in names.items()
    }


def test_the_wheel_of_the_sdist_holds_every_file_of_the_product_and_no_other(wheel: Path) -> None:
    packed, product = files_of(wheel), files_of_the_product()
    assert sorted(packed) == sorted(product)
    assert packed == product
    suffixes = {Path(name).suffix for name in packed}
    assert {".py", ".typed", ".sql", ".html", ".js", ".css", ".svg", ".toml"} <= suffixes
