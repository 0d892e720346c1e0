"""What holds for an outbox in any database: the modules of each database inherit these tests."""

import json
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus import outbox
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Job
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.outbox.table import create_table
from orpheus.shared.storage import TypeRow, open_store
from tests.databases import make_database
from tests.integration.supervisor.outbox.draining_process import DrainingProcess
from tests.machine import freeze, wait_until

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
POINTS = (
    "outbox.read",
    "outbox.before_commit",
    "outbox.jobs_committed",
    "outbox.rows_deleted",
)


class Application(ABC):
    """A program that writes into an outbox in its own database."""

    kind: str
    url: str

    @abstractmethod
    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute statements, each in a transaction of its own; the rows of the last one."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """A connection in a transaction, committed at the end or rolled back by an exception."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[None]:
        """Meanwhile, another process locks the rows against being deleted."""

    @abstractmethod
    def undeletable(self, condition: str) -> None:
        """Let no deletion of such rows take effect, without an error."""

    def make_table(self) -> None:
        """As `orpheus outbox schema` prints it."""
        self.execute(create_table(self.kind))

    def add(self, *numbers: int) -> None:
        """Commit a row for each number."""
        with self.transaction() as connection:
            for number in numbers:
                outbox.add(connection, "count", {"n": number})

    def rows(self, columns: str = "id") -> list[Any]:
        """What is in the outbox."""
        found = self.execute(f"SELECT {columns} FROM orpheus_outbox ORDER BY id")
        return [row[0] if len(row) == 1 else row for row in found]


class Draining:
    """An Orpheus that only drains: its database, and the process that does it."""

    def __init__(
        self, folder: Path, application: Application, shared: DrainingProcess | None = None
    ) -> None:
        self.application = application
        self.folder = folder
        self.points = folder / "points"
        self.points.mkdir()
        self.shared = shared
        """Drains for it; None: a process of its own, for those who kill it, or restart it."""
        self.own: list[DrainingProcess] = []
        self.log_file = folder / "log" if shared is None else shared.log_file
        self._log_at = self.log_file.stat().st_size if self.log_file.exists() else 0
        self.database = f"sqlite:///{folder}/data/orpheus.db"
        make_database(self.database)
        self.store = open_store(self.database)
        row = TypeRow("count", json.dumps(SCHEMA), None, None, None, "")
        self.store.types.replace([row])
        self.process: subprocess.Popen[bytes] | None = None

    def alone(self) -> None:
        """Let it be drained by processes of its own."""
        self.shared, self.log_file, self._log_at = None, self.folder / "log", 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start to drain."""
        if self.shared is None:
            self.own.append(DrainingProcess(self.log_file, self.points))
        process = self.shared or self.own[-1]
        self.process = process.popen
        given = {"url": self.application.url, "table": "orpheus_outbox", "database": self.database}
        process.drain(given)
        return self.process

    def arm(self, point: str) -> None:
        """Have the next process that comes there die of SIGKILL."""
        self.alone()
        draft = self.points / "draft"
        draft.write_text("kill")
        draft.rename(self.points / point)

    def log(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        text = self.log_file.read_bytes()[self._log_at :].decode()
        return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]

    def until_logged(self, event: str, times: int = 1) -> dict[str, Any]:
        """The line of the event that has come so often."""
        wait_until(lambda: len(self.log(event)) >= times, f"{event} in the log")
        return self.log(event)[times - 1]

    def remembered(self) -> list[Any]:
        """The ids of the rows that are jobs and may not be deleted yet, wherever they are."""
        sql = "SELECT one.value FROM outboxes, json_each(in_flight) AS one"
        connection = apsw.Connection(self.database.removeprefix("sqlite:///"))
        try:
            return [row[0] for row in connection.execute(sql).fetchall()]
        finally:
            connection.close()

    def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        return self.store.jobs.page(JobFilter(), 100_000)[::-1]

    def numbers(self) -> list[int]:
        """The payloads of the jobs, oldest first."""
        return [json.loads(job.payload)["n"] for job in self.jobs()]

    def until_empty(self) -> None:
        """Until the outbox has no row left."""
        wait_until(lambda: self.application.rows() == [], "the outbox to be empty")

    def stop(self) -> None:
        """End it in order, if it still runs."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(30)

    def end(self) -> None:
        """Leave nothing behind."""
        for process in self.own:
            process.end()
        if self.shared is not None:
            self.shared.popen.send_signal(signal.SIGCONT)
            self.shared.drain(None)
        self.store.close()


class DrainingTests:
    """The tests; a module of a database gives the fixture `application`."""

    @pytest.fixture
    def draining(
        self, tmp_path: Path, application: Application, shared_process: DrainingProcess
    ) -> Iterator[Draining]:
        """An Orpheus that is not started yet."""
        one = Draining(tmp_path, application, shared_process)
        yield one
        one.end()

    @pytest.fixture
    def running(self, draining: Draining, application: Application) -> Draining:
        """One that drains a table."""
        application.make_table()
        draining.start()
        return draining

    def test_a_row_becomes_a_job_with_all_that_it_says_and_is_deleted(
        self, running: Draining, application: Application
    ) -> None:
        request = JobRequest(
            "count",
            {"n": 2**62, "größe": "ß"},
            queue="mails",
            priority=-7,
            run_at=datetime(2030, 1, 31, 12, tzinfo=UTC),
            unique_key="key",
            concurrency_key="customer 7",
            tags=("a", "b"),
        )
        with application.transaction() as connection:
            outbox.add(connection, request)
        running.until_empty()
        [job] = running.jobs()
        assert json.loads(job.payload) == {"n": 2**62, "größe": "ß"}
        assert (job.type, job.queue, job.priority) == ("count", "mails", -7)
        assert (job.unique_key, job.tags) == ("key", ("a", "b"))
        assert job.concurrency_key == "customer 7"
        assert job.run_at_ms == 1_896_091_200_000

    def test_a_row_of_a_signal_is_sent_beside_jobs_and_is_deleted(
        self, running: Draining, application: Application
    ) -> None:
        with application.transaction() as connection:
            outbox.signal(connection, "approved", 42, {"größe": [2**62]})
            outbox.add(connection, "count", {"n": 1}, unique_key="42")
            outbox.signal(connection, "approved", "42", "again")
        running.until_empty()
        sent = running.store.signals.find("approved", "42")
        assert sent is not None and json.loads(sent.payload) == {"größe": [2**62]}
        assert running.numbers() == [1]

    def test_rows_that_are_rolled_back_or_not_committed_yet_are_no_jobs(
        self, running: Draining, application: Application
    ) -> None:
        with suppress(ZeroDivisionError), application.transaction() as connection:
            outbox.add(connection, "count", {"n": 1})
            raise ZeroDivisionError
        with application.transaction() as connection:
            outbox.add(connection, "count", {"n": 2})
            assert running.jobs() == []
        running.until_empty()
        assert running.numbers() == [2]

    def test_many_rows_are_drained_in_the_order_of_their_ids(
        self, running: Draining, application: Application
    ) -> None:
        application.add(*range(1100))
        running.until_empty()
        assert running.numbers() == [*range(1100)]
        running.until_logged("outbox_drained", times=3)
        assert running.store.outboxes.counts()["shop"].accepted == 1100

    def test_rows_that_are_locked_are_drained_when_the_lock_is_gone_and_it_is_told_once(
        self, running: Draining, application: Application
    ) -> None:
        application.add(1)
        running.until_empty()
        assert running.process is not None
        freeze(running.process.pid)
        application.add(2)
        with application.locked():
            running.process.send_signal(signal.SIGCONT)
            assert "locked" in running.until_logged("outbox_trouble")["reason"]
            running.until_logged("outbox_attempt_failed", times=2)
        running.until_empty()
        running.until_logged("outbox_well")
        assert running.numbers() == [1, 2]
        assert len(running.log("outbox_trouble")) == 1

    def test_a_table_that_is_missing_is_told_once_with_what_makes_it(
        self, draining: Draining, application: Application
    ) -> None:
        draining.start()
        line = draining.until_logged("outbox_trouble")
        assert f"`orpheus outbox schema {application.kind}`" in line["reason"]
        application.make_table()
        application.add(1)
        draining.until_empty()
        draining.until_logged("outbox_well")
        assert len(draining.log("outbox_trouble")) == 1
        assert draining.numbers() == [1]

    def test_a_row_that_cannot_be_deleted_becomes_one_job(
        self, draining: Draining, application: Application
    ) -> None:
        application.make_table()
        draining.alone()
        application.undeletable("type = 'count'")
        application.add(1)
        draining.start()
        assert "cannot be deleted" in draining.until_logged("outbox_trouble")["reason"]
        draining.stop()
        draining.start()
        draining.until_logged("outbox_trouble", times=2)
        assert draining.numbers() == [1]
        assert draining.remembered() == [1]

    @pytest.mark.parametrize("point", POINTS)
    def test_a_drainer_that_is_killed_repeats_nothing_and_loses_nothing(
        self, draining: Draining, application: Application, point: str
    ) -> None:
        application.make_table()
        application.add(1, 2)
        application.execute("INSERT INTO orpheus_outbox (type) VALUES ('nothing')")
        draining.arm(point)
        assert draining.start().wait(30) == -signal.SIGKILL
        application.add(4)
        draining.start()
        wait_until(lambda: application.rows() == [3], "all but the refused one to be gone")
        assert draining.numbers() == [1, 2, 4]
        wait_until(lambda: draining.remembered() == [], "them to be forgotten")
        draining.stop()
        assert draining.log("outbox_failed") == []
