"""The time zone of a host."""

from pathlib import Path

import pytest

from orpheus.supervisor.cli.host_zone import zone_of_host


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host that knows two zones, and has none yet."""
    zones = tmp_path / "usr/share/zoneinfo/Asia"
    zones.mkdir(parents=True)
    for name in ("Tokyo", "Seoul"):
        (zones / name).write_text(name)
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize("folder", ["usr/share", "etc", "nix/store/1-tzdata/share"])
@pytest.mark.parametrize(("name", "zone"), [("Asia/Tokyo", "Asia/Tokyo"), ("Etc/UTC", "UTC")])
def test_a_link_names_the_zone_wherever_the_zones_are(
    root: Path, folder: str, name: str, zone: str
) -> None:
    file = root / folder / "zoneinfo" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    (root / "etc/localtime").symlink_to(file)
    (root / "etc/timezone").write_text("Asia/Seoul")
    assert zone_of_host(root) == zone


@pytest.mark.parametrize(
    ("name", "zone"), [("Asia/Tokyo\n", "Asia/Tokyo"), ("Asia/Seoul\n", None), ("", None)]
)
def test_a_copy_has_the_name_beside_it_if_that_zone_is_the_same(
    root: Path, name: str, zone: str | None
) -> None:
    (root / "etc/localtime").write_text("Tokyo")
    assert zone_of_host(root) is None
    (root / "etc/timezone").write_text(name)
    assert zone_of_host(root) == zone


def test_a_host_without_a_zone_has_utc(root: Path) -> None:
    assert zone_of_host(root) == "UTC"
