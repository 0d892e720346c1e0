"""How many clients an API takes that may open few files."""

import pytest

from orpheus.api.server.connections import share_descriptors


@pytest.mark.parametrize(
    ("allowed", "clients", "refused"),
    [(2000, 1000, 256), (500, 154, 154), (256, 64, 64), (128, 32, 32)],
)
def test_few_descriptors_are_shared_with_clients(allowed: int, clients: int, refused: int) -> None:
    assert share_descriptors(allowed, 1000) == (clients, refused)
