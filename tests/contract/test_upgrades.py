"""A program of the version before goes on with a newer schema that says that it may.

No version is released yet: the next ones are this one with more migrations.
"""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import Lease, Status
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.postgres import database
from orpheus.shared.storage.postgres import opening as postgresql
from orpheus.shared.storage.sqlite import handle
from orpheus.shared.storage.sqlite import opening as sqlite
from tests.contract.conftest import Opener

OLD = load_migrations("orpheus.shared.storage.sqlite.migrations")
NEWEST = OLD[-1].version
COLUMN = "ALTER TABLE {}jobs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"
EXPANDED = Migration(NEWEST + 1, "expanded", f"-- Notes.\n-- readable from: {NEWEST:04}\n{COLUMN};")
CONTRACTED = Migration(NEWEST + 2, "contracted", "ALTER TABLE {}jobs DROP COLUMN note;")
LATER = Migration(NEWEST + 3, "later", f"-- readable from: {NEWEST:04}\n{COLUMN};")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets stores that are opened next know these migrations beside those that there are."""
    monkeypatch.setattr(database, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(handle, "_LOOK_EVERY_S", 0.0)

    def knows(*newer: Migration) -> None:
        for backend, schema in ((sqlite, ""), (postgresql, "orpheus.")):
            known = OLD + [
                Migration(next.version, next.name, next.sql.format(schema)) for next in newer
            ]
            monkeypatch.setattr(backend, "load_migrations", lambda _, known=known: known)

    return knows


def test_both_databases_have_the_same_versions() -> None:
    other = load_migrations("orpheus.shared.storage.postgres.migrations")
    assert [migration.version for migration in other] == [migration.version for migration in OLD]


def test_the_version_before_goes_on_starts_anew_and_loses_nothing(
    program: Callable[..., None],
    store: Store,
    another: Opener,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    end: Callable[..., bool],
) -> None:
    submit()
    [running] = lease()
    program(EXPANDED)
    upgraded = another()
    program()
    assert end(running)
    submit()
    restarted = another()
    assert [job.status for job in [restarted.jobs.get(number) for number in (1, 2)]] == [
        Status.DONE,
        Status.PENDING,
    ]
    assert len(lease()) == 1
    assert upgraded.maintenance.verify() == restarted.maintenance.verify() == []


def test_a_migration_that_says_nothing_is_for_programs_that_know_it(
    program: Callable[..., None], store: Store, another: Opener, submit: Callable[..., int]
) -> None:
    program(EXPANDED, CONTRACTED, LATER)
    another()
    for known in ((), (EXPANDED,)):
        program(*known)
        with pytest.raises(DatabaseUnusable, match=f"needs schema {NEWEST + 2}, newer than"):
            another()
    with pytest.raises(DatabaseUnusable, match="update Orpheus"):
        submit()
    program(EXPANDED, CONTRACTED)
    another()
