"""Lets a failed assertion of the inherited tests show its values; the process that they share."""

from collections.abc import Iterator

import pytest

from tests.integration.supervisor.outbox.draining_process import DrainingProcess

pytest.register_assert_rewrite("tests.integration.supervisor.outbox.draining")


@pytest.fixture(scope="module")
def shared_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrainingProcess]:
    """Drains for the tests of a module, one after another."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "points").mkdir()
    process = DrainingProcess(folder / "log", folder / "points")
    yield process
    process.end()
