"""After which error an attempt has its log lines and progress again, to store them once more.

A report puts both back after any error. The thread that stores output while jobs run puts back what
it took only after an error of the database: any other error ends its process.
"""

import contextlib
from collections.abc import Callable, Iterator
from unittest.mock import MagicMock, call

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import CommitInDoubt, DatabaseBusy, DatabaseFull
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.held_leases import store_lines, store_progress, store_reports

LINES, PROGRESS = "lines", "progress"
OF_DATABASE = (DatabaseBusy("busy"), DatabaseFull("full"), CommitInDoubt("in doubt"))
OTHERS = (KeyError("a mistake of ours"), KeyboardInterrupt(), SystemExit(1))


def report(store: Store, attempt: RunningAttempt) -> None:
    store_reports(store, [(Finished(attempt.lease, Ending.SUCCEEDED, "null"), attempt)], list)


def lines(store: Store, attempt: RunningAttempt) -> None:
    store_lines(store, [attempt])


def progress(store: Store, attempt: RunningAttempt) -> None:
    store_progress(store, [attempt])


Way = Callable[[Store, RunningAttempt], None]
WAYS = (report, lines, progress)
KEPT_AFTER: dict[
    Way, tuple[set[str], set[str]]
] = {  # what is there to be stored again: after an error of the database, after another
    report: ({LINES, PROGRESS}, {LINES, PROGRESS}),
    lines: ({LINES, PROGRESS}, {PROGRESS}),
    progress: ({LINES, PROGRESS}, {LINES}),
}


@pytest.fixture
def attempt(make_lease: Callable[..., Lease]) -> RunningAttempt:
    made = RunningAttempt(make_lease(job_id=1, token=10), 0.0)
    made.job_log().info("a line")
    made.unsaved_progress = (0.75, "nearly")
    return made


@pytest.fixture
def store() -> MagicMock:
    made = MagicMock()
    made.write.return_value = contextlib.nullcontext()
    made.leases.finish.return_value = set()
    return made


def kept(attempt: RunningAttempt) -> set[str]:
    found = {LINES} if [one.line for one in attempt.job_log().take()] == ["a line"] else set()
    return found | ({PROGRESS} if attempt.unsaved_progress == (0.75, "nearly") else set())


@pytest.mark.parametrize("why", [*OF_DATABASE, *OTHERS], ids=lambda why: type(why).__name__)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["begin", "write", "commit"])
def test_what_is_kept_after_an_error(
    attempt: RunningAttempt,
    store: MagicMock,
    way: Way,
    why: BaseException,
    where: str,
) -> None:
    @contextlib.contextmanager
    def transaction() -> Iterator[None]:
        if where == "begin":
            raise why
        yield
        raise why

    store.write.return_value = transaction()
    if where == "write":
        store.write.return_value = contextlib.nullcontext()
        store.logs.append.side_effect = store.leases.progress.side_effect = why
    with pytest.raises(type(why)):
        way(store, attempt)
    assert kept(attempt) == KEPT_AFTER[way][0 if why in OF_DATABASE else 1]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_stored_is_not_stored_again(
    attempt: RunningAttempt, store: MagicMock, way: Way
) -> None:
    way(store, attempt)
    left: dict[Way, set[str]] = {report: set(), lines: {PROGRESS}, progress: {LINES}}
    assert kept(attempt) == left[way]
    store.write.assert_called_once_with(durable=way is report)


def test_a_report_stores_lines_then_progress_then_the_end(
    attempt: RunningAttempt, store: MagicMock
) -> None:
    report(store, attempt)
    names = [name for name, *_ in store.mock_calls if name != "write"]
    assert names == ["logs.append", "leases.progress", "leases.finish"]
    assert store.leases.progress.mock_calls == [call(1, 10, 0.75, "nearly")]


def test_without_output_only_a_report_begins_a_transaction(
    make_lease: Callable[..., Lease], store: MagicMock
) -> None:
    silent = RunningAttempt(make_lease(job_id=1, token=10), 0.0)
    logs_nothing = RunningAttempt(make_lease(job_id=2, token=20), 0.0)
    logs_nothing.job_log()
    for one in (silent, logs_nothing):
        lines(store, one)
        progress(store, one)
    store.write.assert_not_called()
    for one in (silent, logs_nothing):
        report(store, one)
    assert store.write.call_count == 2
    store.logs.append.assert_not_called()
    store.leases.progress.assert_not_called()
    store_reports(store, [], list)
    store.write.assert_called_with(durable=False)
