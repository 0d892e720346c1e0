"""Lets a failed assertion of the inherited tests show its values; the process that they share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("tests.integration.supervisor.outbox.draining")

if TYPE_CHECKING:
    from tests.integration.supervisor.outbox.draining import DrainingProcess


@pytest.fixture(scope="module")
def shared_process(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[DrainingProcess]":
    """Drains for the tests of a module, one after another."""
    from tests.integration.supervisor.outbox.draining import DrainingProcess

    folder = tmp_path_factory.mktemp("shared")
    (folder / "points").mkdir()
    process = DrainingProcess(folder / "log", folder / "points")
    yield process
    process.end()
