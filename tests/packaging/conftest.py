"""The wheel, built once, and an environment in which it is installed beside applications."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, SUPERVISOR_OF_PYPI, Installed, build, uv


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of what the sdist holds."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def application(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("application")
    folder, environment = root / "shop", root / "environment"
    shutil.copytree(Path(__file__).parent / "application", folder)
    uv("venv", "--python", sys.executable, environment)
    into = ("--python", environment)
    uv("pip", "install", *into, "--require-hashes", "-r", ROOT / "requirements.lock")
    uv("pip", "install", *into, wheel, SUPERVISOR_OF_PYPI, f"pytest=={pytest.__version__}")
    return Installed(folder, environment)
