"""What settings ask for: slots, which an operator may scale, and open files for them."""

import resource

import pytest

from orpheus.config.settings import Api, Pool, Program, Settings
from orpheus.shared.errors import ConfigurationError
from orpheus.supervisor.plan.configuration import Configuration, allow_files_for


def test_a_scaled_pool_keeps_its_size_until_the_configured_number_of_workers_changes() -> None:
    configuration = Configuration(Settings(pools={"default": Pool(workers=2)}), None, "")
    configuration.scale("default", 3)
    configuration.adopt(Settings(pools={"default": Pool(workers=2, max_age=3600)}), None, "")
    assert configuration.workers_of("default") == 3
    configuration.adopt(Settings(pools={"default": Pool(workers=1, max_age=3600)}), None, "")
    assert configuration.workers_of("default") == 1


def test_no_worker_runs_while_the_job_modules_are_not_imported() -> None:
    """Only in development; else there is no start."""
    settings = Settings(
        pools={"default": Pool(workers=2)}, programs=[Program(name="web", argv=("web",))]
    )
    configuration = Configuration(settings, None, None)
    assert list(configuration.plan().specs) == ["web-1"]
    configuration.adopt(settings, None, "build")
    assert list(configuration.plan().specs) == ["default-1", "default-2", "web-1"]


@pytest.mark.parametrize(
    ("limits", "workers", "after"),
    [
        ((1024, 4096), 100, (1024, 4096)),
        ((1024, 4096), 500, (2108, 4096)),
        ((64, 128), 1, (128, 128)),
    ],
)
def test_the_soft_limit_of_open_files_is_raised_for_the_slots(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    workers: int,
    after: tuple[int, int],
) -> None:
    now = [limits]
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: now.append(wanted))
    programs = (Program(name="web", argv=("web",), instances=10),)
    pools = {"default": Pool(workers=workers)}
    allow_files_for(Settings(pools=pools, programs=programs))
    assert now[-1] == after


def test_a_hard_limit_of_open_files_that_is_too_low_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (200, 200))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    enough = Settings(pools={"default": Pool(workers=34)}, api=Api(enabled=False))
    allow_files_for(enough)
    with pytest.raises(ConfigurationError, match="204 files for 35 slots, and may open 200: raise"):
        allow_files_for(Settings(pools={"default": Pool(workers=34)}))
