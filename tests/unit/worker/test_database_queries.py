"""What a worker asks the database about its own code."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orpheus import job
from orpheus.config.handovers import for_worker
from orpheus.config.settings import Settings
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import load_job_types
from orpheus.shared.storage import Store, TypeRow, open_storage
from orpheus.worker.attempt.context import Fit
from orpheus.worker.database_queries import DatabaseQueries
from tests.databases import make_database

Asked = Callable[[TypeRow | None, dict[str, str], str], Fit]
NEWER = '{"properties": {"order": {}, "currency": {}}, "additionalProperties": false}'
PAYLOAD = '{"order": 1, "currency": "USD"}'


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Asks a database that describes `pay` so, in a worker that began with these schemas."""
    monkeypatch.setattr(registry, "_registry", {})
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    settings = for_worker(Settings.model_validate({"database": {"url": url}}), "default")
    store = open_storage(settings.storage)

    def ask(row: TypeRow | None, at_start: dict[str, str], payload: str) -> Fit:
        store.types.replace([] if row is None else [row])
        queries = DatabaseQueries(settings, at_start)
        try:
            return queries.fit(load_job_types([])["pay"], payload)
        finally:
            queries.close()

    yield ask
    store.close()


def test_only_a_payload_that_the_changed_description_takes_is_one_for_newer_code(
    asked: Asked,
) -> None:
    @job
    def pay(order: int) -> None: ...

    mine = type_row(load_job_types([])["pay"].describe())
    newer = replace(mine, schema=NEWER)
    assert asked(newer, {"pay": mine.schema}, PAYLOAD) is Fit.NEWLY
    assert asked(newer, {"pay": NEWER}, PAYLOAD) is Fit.YES, "a new process has this code, too"
    assert asked(newer, {"pay": mine.schema}, '{"ordre": 1}') is Fit.NO
    assert asked(mine, {}, PAYLOAD) is Fit.NO
    assert asked(mine, {}, '{"order": 1}') is Fit.NO, "the same description cannot say more"
    assert asked(None, {"pay": mine.schema}, PAYLOAD) is Fit.NO


def test_a_query_in_a_signal_handler_is_refused_and_does_not_wait_for_what_it_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    queries = DatabaseQueries(
        for_worker(Settings.model_validate({"database": {"url": url}}), "default")
    )
    opened = queries._store()

    def interrupted() -> Store:
        with pytest.raises(RuntimeError, match="the context is in use by the call that was"):
            queries.has_type("pay")
        return opened

    monkeypatch.setattr(queries, "_store", interrupted)
    assert not queries.has_type("pay")
    queries.close()
