"""Acknowledgements: an operator knows of a problem, so it need not ask for attention for a time."""

from orpheus.shared.storage.data import Acknowledgement
from orpheus.shared.storage.database import Database


class Acknowledgements:
    """Writes and reads acknowledgements, one for each problem."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("acknowledgements.sql")

    def put(self, row: Acknowledgement) -> None:
        """Acknowledge a problem, and forget the acknowledgements whose time is over."""
        with self._database.write(durable=True):
            self._database.run(self._sql["delete-old"], self._database.clock.wall_ms())
            values = (row.code, row.subject, row.until_ms, row.by, row.reason)
            self._database.run(self._sql["put"], *values, row.severity, row.size)

    def withdraw(self, code: str, subject: str) -> bool:
        """Withdraw an acknowledgement; return whether there was one."""
        with self._database.write(durable=True):
            return self._database.run(self._sql["withdraw"], code, subject) > 0

    def standing(self) -> dict[tuple[str, str], Acknowledgement]:
        """Return the acknowledgements whose time is not over, by code and subject."""
        rows = self._database.all(self._sql["standing"], self._database.clock.wall_ms())
        return {
            (row.code, row.subject): row for row in (Acknowledgement(*values) for values in rows)
        }
