"""A server to call."""

from collections.abc import Iterator

import pytest

from tests.http_receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
