from importlib.metadata import version

from orpheus.shared.version import VERSION


def test_it_is_the_version_of_the_package() -> None:
    assert version("orpheus-jobs") == VERSION
