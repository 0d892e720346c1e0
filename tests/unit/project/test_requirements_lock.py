"""The two lock files are what a deployment installs: they must keep up with pyproject.toml."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "docs/deploy/requirements-build.lock": PROJECT["build-system"]["requires"],
}
"""What each lock must hold, and with it what that depends on."""
LOCKS = {name: (ROOT / name).read_text(encoding="utf-8") for name in WANTED}


def how(name: str) -> str:
    """Return what to run when a lock is out of date: the command in its head."""
    return f"run: {LOCKS[name].splitlines()[1].removeprefix('#').strip()}"


def locked(name: str) -> Iterator[tuple[NormalizedName, Requirement, str]]:
    """Yield name, requirement and hashes of each package."""
    for entry in re.split(r"\n(?=[a-z0-9])", LOCKS[name]):
        if not entry.startswith("#"):
            requirement = Requirement(entry.partition("\\")[0])
            yield canonicalize_name(requirement.name), requirement, entry


def test_the_build_group_is_what_the_build_requires() -> None:
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]


@pytest.mark.parametrize("name", WANTED)
def test_the_dependencies_are_locked_to_versions_they_allow_and_no_others_are(name: str) -> None:
    wanted = {canonicalize_name(r.name): r for r in map(Requirement, WANTED[name])}
    direct = {key: r for key, r, entry in locked(name) if "orpheus-jobs (pyproject.toml" in entry}
    assert set(direct) == set(wanted), how(name)
    for key, requirement in direct.items():
        (pinned,) = requirement.specifier
        assert pinned.version in wanted[key].specifier, f"{key}: {how(name)}"


@pytest.mark.parametrize("name", WANTED)
def test_every_package_is_pinned_by_hash(name: str) -> None:
    for key, requirement, entry in locked(name):
        assert [s.operator for s in requirement.specifier] == ["=="], key
        assert "--hash=sha256:" in entry, key


@pytest.mark.parametrize("name", WANTED)
def test_no_host_and_no_path_stands_in_the_lock(name: str) -> None:
    assert "://" not in LOCKS[name]
    assert not re.search(r"(^|\s)/\w", LOCKS[name])
