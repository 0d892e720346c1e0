"""The settings: their defaults and their ranges."""

import os
from collections.abc import Callable

import pytest

from orpheus.config.settings import Settings
from orpheus.config.values import parse_size_bytes

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


def test_without_any_source_the_defaults_are_in_force(load: Load) -> None:
    settings = load()
    assert settings.model_dump() == Settings().model_dump()
    assert settings.source is None
    assert settings.database.url == "sqlite:///data/orpheus.db"
    assert settings.jobs.timeout == 900
    assert settings.api.max_batch_body == 16 * 2**20


def test_the_default_pool_has_a_worker_for_each_cpu_and_at_least_two(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cpus, workers in (({0}, 2), ({0, 1, 2}, 3)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cpus=cpus: cpus)
        assert load().pools["default"].workers == workers
        assert load(sets=["pools.default.queues=['mail']"]).pools["default"].workers == workers
    assert load(sets=["pools.default.workers=1"]).pools["default"].workers == 1


def test_another_pool_has_one_worker_and_stands_alone_if_it_is_the_only_one_named(
    load: Load,
) -> None:
    settings = load(sets=["pools.mail.queues=['mail']"])
    assert list(settings.pools) == ["mail"]
    assert settings.pools["mail"].workers == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "api.port=65536",
        "api.port='x'",
        "database.url='mysql://x'",
        "database.durability='none'",
        'database.state_dir="a\\u0000b"',
        "pools.Mail.workers=1",
        "queues.mail.rate='10'",
        "jobs.modules=['os; import x']",
        "jobs.timeout=0",
        "leases.ttl=-1",
        "supervisor.on_fatal='panic'",
        "schedules=[{name='n', type='t', every='1h', priority=1001}]",
    ],
)
def test_a_value_out_of_range_is_refused(wrong: str, problems: Problems) -> None:
    (problem,) = problems(sets=[wrong])
    assert problem.startswith("--set: ")


@pytest.mark.parametrize(
    ("wrong", "help"),
    [
        ("queues.mail.rate='10 per second'", '"10/s", "100/m", "5/h", "2/d"'),
        ("pools.Mail.workers=1", "small letters"),
        ("jobs.modules=['jobs.py', 'a-b']", '"shop.jobs"'),
        ("jobs.around=['shop.tracing']", '"shop.tracing:around_job"'),
        ("database.url='mysql://x'", '"sqlite:///FILE"'),
        ("database.listen_url='h/d'", '"postgresql://USER@HOST/DATABASE"'),
        ("api.max_body='20kB'", 'of B, KB, MB, GB, KiB, MiB or GiB, such as "10MB"'),
    ],
)
def test_a_text_of_the_wrong_form_is_told_what_is_right(
    wrong: str, help: str, problems: Problems
) -> None:
    (problem,) = problems(sets=[wrong])
    assert help in problem
    assert not set("^$\\") & set(problem)


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [(1, 1), ("64KiB", 65_536), ("1 MiB", 2**20), ("2GiB", 2**31), ("100", 100), ("5B", 5)],
)
def test_a_size_is_read(written: object, size_bytes: int) -> None:
    assert parse_size_bytes(written) == size_bytes
