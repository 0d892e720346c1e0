"""What each program is handed."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from orpheus.config.handovers import (
    for_api,
    for_command_line,
    for_database,
    for_storage,
    for_worker,
)
from orpheus.config.settings import Settings
from orpheus.shared.domain.handover import ApiHandover, WorkerHandover
from orpheus.shared.errors import ConfigurationError

Load = Callable[..., Settings]

COMMAND = 'commands=[{name="c", argv=["true", "{x}"], env={A="b"}, success_codes=[0, 3]}]'


def test_a_worker_is_handed_what_it_needs_as_json(load: Load) -> None:
    sets = [
        "pools.mail.queues=['mail']",
        "pools.mail.max_jobs=7",
        "pools.mail.concurrency=20",
        "pools.default.workers=2",
        COMMAND,
    ]
    settings = load(sets=sets)
    handed = for_worker(settings, "mail")
    assert handed.queues == ("mail",)
    assert (handed.max_jobs, for_worker(settings, "default").max_jobs) == (7, 0)
    assert (handed.concurrency, for_worker(settings, "default").concurrency) == (20, 1)
    assert handed.lease_ttl_s == 30
    assert handed.otel_endpoint is None
    assert for_worker(load(sets=["otel.enabled=true"]), "default").otel_endpoint == ""
    assert handed.storage == for_storage(settings)
    assert handed.storage.pools == {"mail": ("mail",), "default": ("*",)}
    assert (
        msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(handed))), WorkerHandover)
        == handed
    )


def test_durability_decides_whether_a_commit_waits_for_the_disk(load: Load) -> None:
    assert for_storage(load()).durable
    assert not for_storage(load(sets=["database.durability=process"])).durable


def test_what_durable_functions_need_is_handed_over(load: Load) -> None:
    settings = load(sets=['retention.signals="3d"', 'jobs.waits_long="1h"'])
    assert for_database(settings).retention.signals_s == 3 * 86_400
    assert for_api(settings, supervised=True).waits_long_s == 3600
    assert for_command_line(settings).waits_long_s == 3600


def test_a_worker_of_an_unknown_pool_is_refused(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="no pool 'mial'; the configuration has default"):
        for_worker(load(), "mial")


def test_the_api_is_handed_what_it_needs_as_json_but_never_the_token(
    load: Load, own_directory: Path
) -> None:
    token = own_directory / "token"
    token.touch(0o600)
    token.write_text("secret" * 10)
    settings = load(sets=["api.port=9", 'api.allowed_hosts=["a"]', f"api.token_file={token}"])
    handed = for_api(settings, supervised=True)
    assert (handed.port, handed.allowed_hosts, handed.supervised) == (9, ("a",), True)
    text = json.dumps(msgspec.to_builtins(handed))
    assert "secret" not in text
    assert msgspec.convert(json.loads(text), ApiHandover) == handed
