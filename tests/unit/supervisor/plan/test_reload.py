"""The reloader's thread, mostly on files that it refuses: what it accepts needs a whole Orpheus.

tests/integration/supervisor/test_reload.py has the rest.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.config.settings import Settings
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import DatabaseBusy
from orpheus.supervisor.plan import reload
from orpheus.supervisor.plan.listeners import Listeners
from orpheus.supervisor.plan.reload import Rejected, Reloaded, Reloader
from tests.machine import wait_until

REFUSED = "[api]\nprot = 1\n"
Start = Callable[..., Reloader]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default file of a directory of its own."""
    monkeypatch.chdir(tmp_path)
    file = Path("config/orpheus.toml")
    file.parent.mkdir()
    file.write_text("[api]\nenabled = false\n")
    return file


def read() -> Settings:
    return load_settings(None, (), {})


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a reloader that has read some settings."""
    started: list[Reloader] = []

    def start_one(settings: Settings) -> Reloader:
        started.append(Reloader(read, settings, Listeners(), lambda _: None))
        started[-1].start()
        return started[-1]

    yield start_one
    for reloader in started:
        reloader.stop()


def test_a_file_saved_since_it_was_read_is_read_again(file: Path, start: Start) -> None:
    """While Orpheus starts: job modules are imported, a server may be waited for."""
    settings = read()
    file.write_text(REFUSED)
    reloader = start(settings)
    reloader.look()
    [result] = wait_until(reloader.take, "the file to be read")
    assert isinstance(result, Rejected)
    assert (result.why, "api.prot" in result.reason) == ("the file was saved", True)


@pytest.fixture
def takes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be read can be put in force."""
    monkeypatch.setattr(reload, "describe_types", lambda *_: [])
    monkeypatch.setattr(Reloader, "_write", lambda *_: None)
    monkeypatch.setattr(Listeners, "take", lambda *_: None)


@pytest.mark.usefixtures("takes_all")
def test_a_file_that_was_emptied_does_not_set_everything_to_its_default(
    file: Path, start: Start
) -> None:
    """An editor on a full disk empties it; the API would need no token, and schedules would end."""
    reloader = start(read())

    def result_of(text: str) -> Rejected | Reloaded:
        file.write_text(text)
        reloader.ask("SIGHUP")
        results: list[Rejected | Reloaded] = wait_until(reloader.take, "the answer")
        return results[-1]

    for text in ("", " \n"):
        result = result_of(text)
        assert isinstance(result, Rejected), text
        assert result.reason == (
            "config/orpheus.toml is empty: what it set stays; if the defaults are meant, say so "
            "in a line with a comment"
        )
    defaults = result_of("# the defaults\n")
    assert isinstance(defaults, Reloaded) and defaults.settings.api.enabled


@pytest.mark.usefixtures("file")
def test_an_order_is_kept_while_the_database_cannot_be_written(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the write lock, or a server is replaced by its standby."""
    troubles: list[str] = []

    def write(*_: object) -> None:
        troubles.append(reloader.trouble)
        if len(troubles) < 3:
            raise DatabaseBusy("locked")

    monkeypatch.setattr(reload, "_RETRY_S", 0.01)
    monkeypatch.setattr(reload, "describe_types", lambda *_: [])
    monkeypatch.setattr(Reloader, "_write", write)
    reloader = start(read())
    reloader.ask("SIGUSR2", replaces=[Role.API])
    [result] = wait_until(reloader.take, "it to be in force")
    assert isinstance(result, Reloaded)
    assert (result.why, result.replaces) == ("SIGUSR2", frozenset({Role.API}))
    waits = "a new configuration waits for the database: locked"
    assert troubles == ["", waits, waits]
    assert reloader.trouble == ""


def test_a_file_that_is_gone_is_rejected_once_and_taken_when_it_is_back(
    file: Path, start: Start
) -> None:
    reloader = start(read())
    reloader.look()
    file.rename("elsewhere")
    reloader.look()
    [result] = wait_until(reloader.take, "the file to be missed")
    assert isinstance(result, Rejected)
    assert result.why == "the file is gone"
    assert result.reason.startswith("config/orpheus.toml is gone")
    Path("elsewhere").write_text(REFUSED)
    Path("elsewhere").rename(file)
    reloader.look()
    [result] = wait_until(reloader.take, "the file to be read")
    assert (result.why, isinstance(result, Rejected)) == ("the file was saved", True)
