"""The pytest fixture `orpheus`. Every run of pytest loads this file, so it imports little."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orpheus.testing import Harness


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting `orpheus_config`."""
    parser.addini(
        "orpheus_config",
        "The configuration of the fixture `orpheus`, relative to the root directory. Default: "
        "$ORPHEUS_CONFIG, else config/orpheus.toml, else orpheus.toml, where it is.",
    )


@pytest.fixture
def orpheus(pytestconfig: pytest.Config) -> "Iterator[Harness]":
    """Jobs in a store of their own, run by the test, with a clock that it moves."""
    from orpheus.testing import Harness  # noqa: PLC0415 - only for tests that use it

    with Harness(_config_of(pytestconfig)) as harness:
        yield harness


def _config_of(pytestconfig: pytest.Config) -> Path | None:
    """Return the configuration of the project under test; None: Harness looks for one itself."""
    named = pytestconfig.getini("orpheus_config")
    if named:
        return pytestconfig.rootpath / str(named)
    own = pytestconfig.rootpath / "orpheus.toml"
    default = Path("config", "orpheus.toml")
    if "ORPHEUS_CONFIG" in os.environ or default.exists() or not own.exists():
        return None
    return own
