"""requirements.lock is what a deployment installs: it must keep up with pyproject.toml."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
HOW = "run: uv pip compile --universal --generate-hashes pyproject.toml -o requirements.lock"


def _locked() -> Iterator[tuple[NormalizedName, Requirement, str]]:
    """Name, requirement and hashes of each package."""
    for entry in re.split(r"\n(?=[a-z0-9])", LOCK):
        if not entry.startswith("#"):
            requirement = Requirement(entry.partition("\\")[0])
            yield canonicalize_name(requirement.name), requirement, entry


def test_the_dependencies_are_locked_to_versions_they_allow_and_no_others_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    locked = {name: r for name, r, entry in _locked() if "orpheus (pyproject.toml)" in entry}
    assert set(locked) == set(wanted), HOW
    for name, requirement in locked.items():
        (pinned,) = requirement.specifier
        assert pinned.version in wanted[name].specifier, f"{name}: {HOW}"


def test_every_package_is_pinned_by_hash() -> None:
    for name, requirement, entry in _locked():
        assert [s.operator for s in requirement.specifier] == ["=="], name
        assert "--hash=sha256:" in entry, name


def test_no_host_and_no_path_stands_in_the_lock() -> None:
    assert "://" not in LOCK
    assert not re.search(r"(^|\s)/\w", LOCK)
