"""What the start prints, and where it refuses to run."""

import os
import socket
from pathlib import Path
from typing import cast

import pytest

import orpheus
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError
from orpheus.supervisor.linux.signals import Signals
from orpheus.supervisor.plan.configuration import Configuration
from orpheus.supervisor.run import _announce, run_supervisor
from orpheus.supervisor.startup import refuse_other_package
from tests.machine import wait_until

OURS = str(orpheus.__file__)


def test_the_address_that_is_printed_is_the_one_that_a_reload_has_put_in_force(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as new:
        configuration = Configuration(Settings(), socket.create_server(("127.0.0.1", 0)), "")
        assert configuration.listener is not None
        configuration.listener.close()  # by the reload, once the old API had ended
        configuration.adopt(Settings(), new, "")
        _announce(configuration, [])
        address = f"http://127.0.0.1:{new.getsockname()[1]}"
        assert address in wait_until(lambda: capfd.readouterr().out, "the address")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["orpheus/__init__.py", "orpheus.py"])
def test_a_folder_whose_orpheus_the_children_would_import_is_refused_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Such as an older checkout: its workers would refuse the database of the newer supervisor."""
    other = folder / name
    other.parent.mkdir(exist_ok=True)
    other.touch()
    with pytest.raises(ConfigurationError) as refusal:
        run_supervisor(lambda _: pytest.fail("it goes on"), cast("Signals", None), ())
    assert str(refusal.value) == (
        f"Orpheus would start processes that import {other} of the current folder, and not "
        f"{OURS}, which runs: start it in another folder, or run that one"
    )
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    refuse_other_package()


def test_the_folder_of_what_runs_is_not_refused_nor_one_without_a_package(folder: Path) -> None:
    refuse_other_package()
    (folder / "orpheus").mkdir()
    refuse_other_package()
    (folder / "orpheus").rmdir()
    (folder / "orpheus").symlink_to(Path(OURS).parent)
    refuse_other_package()
    os.chdir(Path(OURS).parents[1])
    refuse_other_package()
