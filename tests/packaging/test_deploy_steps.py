"""The steps by which docs/deploy.md and the Containerfile install Orpheus, as they stand there.

They run in an environment of the test's own: `pip install` as `uv pip install`, which takes the
same options and has the packages in its cache.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, Installed, uv
from tests.packaging.test_distributions import files_of

pytestmark = pytest.mark.xdist_group("packaging")

CONTAINERFILE = (ROOT / "docs" / "deploy" / "Containerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.fixture
def new_environment(tmp_path: Path) -> Callable[[str], Installed]:
    """Makes an empty environment beside an empty folder."""

    def make(name: str) -> Installed:
        folder = tmp_path / f"{name}-folder"
        folder.mkdir()
        uv("venv", "--python", sys.executable, tmp_path / name)
        return Installed(folder, tmp_path / name)

    return make


def pip_install(into: Installed, options: str) -> None:
    """Run `pip install` with the options that a document gives it, in the environment's folder."""
    arguments: list[object] = []
    for argument in shlex.split(options):
        found = sorted(into.folder.glob(argument)) if "*" in argument else [argument]
        assert found, argument
        arguments += found
    uv("pip", "install", "--python", into.python, *arguments, cwd=into.folder)


def copy(source: str, into: Path) -> None:
    """Copy a file or a folder of the project, links as links, as COPY does."""
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, into / source, symlinks=True)
    else:
        shutil.copy(ROOT / source, into)


def test_the_steps_of_the_containerfile_install_the_command(
    new_environment: Callable[[str], Installed], wheel: Path
) -> None:
    """The wheel that they build is the same as the one of the sdist."""
    first, last = CONTAINERFILE.split("\nFROM ")[-2:]
    environments = {first: new_environment("build"), last: new_environment("image")}
    for stage, environment in environments.items():
        folder = environment.folder / "wheel"
        for line in stage.splitlines():
            if found := re.fullmatch(r"COPY ([a-z].*) \S+", line):
                for source in found[1].split():
                    copy(source, environment.folder)
            elif line == "COPY --from=build /wheel /wheel":
                shutil.copytree(environments[first].folder / "wheel", folder)
            elif found := re.fullmatch(r"RUN pip install --no-cache-dir (.*)", line):
                pip_install(environment, found[1].replace(" /wheel/", " wheel/"))
            elif found := re.fullmatch(r"RUN hatchling (.*) /wheel", line):
                hatchling = environment.environment / "bin" / "hatchling"
                built = environment.run(hatchling, *found[1].split(), folder)
                assert built.returncode == 0, built.stderr
    [built_of_the_tree] = (environments[first].folder / "wheel").glob("*.whl")
    assert files_of(built_of_the_tree) == files_of(wheel)
    shown = environments[last].run(environments[last].orpheus, "--version")
    assert shown.stdout == f"orpheus {version('orpheus-jobs')}\n"
    assert not [p for p in environments[last].site_packages.iterdir() if p.name == "hatchling"]


def test_the_steps_of_the_page_install_the_command(
    new_environment: Callable[[str], Installed], wheel: Path
) -> None:
    host = new_environment("host")
    copy("requirements.lock", host.folder)
    (host.folder / "dist").mkdir()
    shutil.copy(wheel, host.folder / "dist")
    assert f"`dist/{wheel.name}`" in PAGE
    installs = re.findall(r"^/opt/orpheus/.venv/bin/pip install (.*)$", PAGE, re.MULTILINE)
    assert len(installs) == 2
    for options in installs:
        pip_install(host, options)
    shown = host.run(host.orpheus, "--version")
    assert (shown.returncode, shown.stdout) == (0, f"orpheus {version('orpheus-jobs')}\n")
