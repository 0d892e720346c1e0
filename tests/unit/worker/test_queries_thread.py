"""Jobs ask from any thread; one thread asks the database."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.jobs import Dependency, Lease
from orpheus.worker.database_queries import QueriesThread


def test_every_thread_has_its_own_answer_from_one_thread(
    make_lease: Callable[..., Lease], queries: Any
) -> None:
    threads = set()

    class Noting:
        def dependencies(self, job_id: int) -> list[Dependency]:
            threads.add(threading.current_thread().name)
            return [replace(queries.dependencies(job_id)[0], id=job_id)]

        other_readers = queries.other_readers
        prepare_child = queries.prepare_child

    noting: Any = Noting()
    asked = QueriesThread(noting)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(asked.dependencies, range(100)))
    assert [[one.id for one in answer] for answer in answers] == [[n] for n in range(100)]
    assert threads == {"job-queries"}
    assert asked.other_readers(make_lease(), None) is None
