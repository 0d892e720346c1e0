"""Looks after the schema on PostgreSQL. Its server looks after files, backups and the log."""

from pathlib import Path

from orpheus.shared.storage.data import BackupRefused
from orpheus.shared.storage.database import Database

_FOLD = "SELECT orpheus.fold_counts()"
_BYTES = """SELECT coalesce(sum(pg_table_size(oid) + pg_indexes_size(oid)), 0)::bigint FROM pg_class
    WHERE relnamespace = 'orpheus'::regnamespace AND relkind = 'r'"""

_SEES_ALL = """SELECT pg_has_role('pg_read_all_stats', 'USAGE') OR NOT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND NOT pg_has_role(usesysid, 'USAGE'))"""
_OLDEST = """SELECT extract(epoch FROM clock_timestamp() - min(began))::double precision FROM (
        SELECT xact_start FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
            AND backend_type = 'client backend'
        UNION ALL SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
    ) AS open (began)"""


class SchemaMaintenance:
    """The port `Maintenance` (shared/storage/database.py), for a schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> list[str]:
        """Return nothing: PostgreSQL reports a damaged page where it reads it."""
        return []

    def verify(self) -> list[str]:
        """See Maintenance."""
        from orpheus.shared.storage.verbs.invariants import broken_invariants  # noqa: PLC0415 - seldom

        with self._database.snapshot_of_all():
            return broken_invariants(self._database)

    def backup(self, target: Path) -> None:
        """Raise BackupRefused: the server's own tools make a backup."""
        raise BackupRefused(
            f"PostgreSQL has its own tools for that: pg_dump --schema=orpheus > {target}"
        )

    def checkpoint(self) -> None:
        """Number the events that have not been read yet."""
        self._database.number_events()

    def fold_counts(self) -> None:
        """See Maintenance. Each read of a count sums up what is not folded."""
        with self._database.write(durable=False):
            self._database.all(_FOLD)

    def note_history(self) -> None:
        """Do nothing: the name of the history tells a restored database by itself."""

    def database_bytes(self) -> int:
        """Return the size of the schema's tables and indexes."""
        return int(self._database.value(_BYTES))

    def wal_bytes(self) -> int:
        """Return 0: the log is the server's, for all its databases."""
        return 0

    def oldest_transaction_s(self) -> float | None:
        """See Maintenance. What other roles do is seen only by a role with pg_read_all_stats."""
        if not self._database.value(_SEES_ALL):
            return None
        return float(self._database.value(_OLDEST) or 0)

    def standstill(self) -> None:
        """Return None: no write keeps all others out."""

    def free_bytes(self) -> int | None:
        """Return None: only the server's host knows."""
        return None
