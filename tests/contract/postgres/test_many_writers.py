"""Many write at once, each in a thread with a store of its own: no rule is broken, all jobs end."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import TERMINAL, Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.errors import DatabaseBusy, InvalidJob, NotFound, TransitionRefused
from orpheus.shared.storage import KeptAnswer, Store, open_store
from tests.variants import variants

pytestmark = pytest.mark.backends("postgresql")

Opener = Callable[[], Store]
TTL_MS = 60_000
_OUTCOMES: dict[Ending, tuple[str | None, JobError | None]] = {
    Ending.SUCCEEDED: ("null", None),
    Ending.FAILED: (None, JobError("ValueError", "it broke", "Traceback …")),
    Ending.SNOOZED: (None, None),
}


@pytest.fixture
def opener(url: str, tmp_path: Path) -> Iterator[Opener]:
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(open_store(url, create=True, state_dir=str(tmp_path)))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def at_once(works: Sequence[Callable[[], object]]) -> None:
    """Run all, each in a thread; raise what one of them raised."""
    errors: list[BaseException] = []
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            ready.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def again(work: Callable[[], object]) -> None:
    """Do it until no other stands in the way, as the programs do."""
    while True:
        try:
            work()
        except DatabaseBusy:
            continue
        return


def test_an_idempotency_key_makes_one_job(opener: Opener) -> None:
    def submit(store: Store) -> None:
        for n in range(30):
            with store.write(durable=True):
                if store.idempotency.find(f"key-{n}") is None:
                    job = store.jobs.submit(NewJob("noop")).job
                    answer = KeptAnswer("hash", 201, "{}", f"/jobs/{job.id}")
                    store.idempotency.keep(f"key-{n}", answer)

    stores = [opener() for _ in range(3)]
    at_once([partial(submit, store) for store in stores])
    assert stores[0].stats.counts()[Status.PENDING] == 30


class Crowd:
    """Submits, works, cancels, retries and deletes, until so many jobs have been submitted."""

    def __init__(self, opener: Opener, seed: int, jobs: int) -> None:
        self._opener = opener
        self._seed = seed
        self._jobs = jobs
        self._over = threading.Event()
        self._operators = 2
        """So many may still retry a job that has ended."""
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._lock = threading.Lock()

    def run(self) -> None:
        workers = [partial(self._work, n) for n in range(3)]
        operators = [partial(self._operate, n) for n in range(self._operators)]
        at_once([self._submit_all, *workers, *operators])

    def _submit_all(self) -> None:
        try:
            halves = (threading.Thread(target=self._submit, args=(n,)) for n in range(2))
            threads = [*halves]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._over.set()

    def _submit(self, n: int) -> None:
        store, chance = self._opener(), random.Random(f"{self._seed} submits {n}")
        known: list[int] = []
        while len(known) < self._jobs // 2:
            new = []
            for _ in range(chance.randint(1, 4)):
                others = known[-20:]
                new.append(
                    NewJob(
                        "noop",
                        queue=chance.choice(("free", "few", "keyed")),
                        concurrency_key=chance.choice(("a", "b", None)),
                        depends_on=tuple({*chance.choices(others, k=2)}) if others else (),
                        max_retries=1,
                    )
                )
            try:
                known += store.jobs.submit_many(new)
            except (DatabaseBusy, InvalidJob):  # what it would have waited for was deleted
                continue

    def _work(self, n: int) -> None:
        store, chance = self._opener(), random.Random(f"{self._seed} works {n}")
        holder = Holder(f"w-{n}", f"inc-{n}", n)
        while self._operators or self._is_live(store):
            try:
                leases = store.leases.lease(holder, ("*",), chance.randint(1, 5), TTL_MS)
            except DatabaseBusy:
                continue
            if not leases:
                store.dependencies.continue_cascades()
                time.sleep(0.005)
                continue
            with self._lock:
                for lease in leases:
                    for name in (lease.queue, f"{lease.queue} {lease.concurrency_key}"):
                        self.running[name] += 1
                        self.most[name] = max(self.most[name], self.running[name])
            endings = chance.choices(
                (Ending.SUCCEEDED, Ending.FAILED, Ending.SNOOZED), (8, 1, 1), k=len(leases)
            )
            finished = [
                Finished(lease, ending, *_OUTCOMES[ending])
                for lease, ending in zip(leases, endings, strict=True)
            ]
            with self._lock:  # before: another may lease in its place as soon as it is committed
                for lease in leases:
                    for name in (lease.queue, f"{lease.queue} {lease.concurrency_key}"):
                        self.running[name] -= 1
            again(partial(store.leases.finish, finished))

    def _is_live(self, store: Store) -> bool:
        counts = store.stats.counts()
        return any(n for status, n in counts.items() if status not in TERMINAL)

    def _operate(self, n: int) -> None:
        try:
            self._act(self._opener(), random.Random(f"{self._seed} operates {n}"))
        finally:
            with self._lock:
                self._operators -= 1

    def _act(self, store: Store, chance: random.Random) -> None:
        while not self._over.is_set():
            job_id = chance.randint(1, self._jobs)
            act = chance.choice((store.jobs.cancel, store.jobs.retry, store.jobs.delete))
            try:
                act(job_id)
            except (DatabaseBusy, NotFound, TransitionRefused):
                continue


@pytest.mark.parametrize("seed", variants(range(2, 14), 2))
def test_a_crowd_breaks_no_rule_and_everything_ends(opener: Opener, seed: int) -> None:
    store = opener()
    few, keyed = QueueRules(max_running=2), QueueRules(per_key=KeyRules(max_running=1))
    store.queues.configure({"few": few, "keyed": keyed})
    crowd = Crowd(opener, seed, jobs=150)
    crowd.run()
    assert store.maintenance.verify() == []
    counts = store.stats.counts()
    assert sum(n for status, n in counts.items() if status not in TERMINAL) == 0
    assert crowd.most["few"] <= 2
    assert crowd.most["keyed a"] <= 1
    assert crowd.most["keyed b"] <= 1
