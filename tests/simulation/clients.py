"""Clients and operators, through the API's connection.

An API that dies, or an answer that gets lost, leaves a request undecided: with an Idempotency-Key
the client asks again until it knows. DatabaseBusy and DatabaseFull promise that nothing was
written, so such a request counts as refused.
"""

import json
from collections.abc import Callable, Sequence

from orpheus.shared.domain.dependencies import batch_problems
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.steps import NewSignal, Signal
from orpheus.shared.errors import InvalidJob, NotFound, StorageError, TransitionRefused
from orpheus.shared.storage import BulkAction, CountChanged, KeptAnswer
from orpheus.shared.storage.data import IDEMPOTENCY_MS
from tests.simulation.engine import Crashed, Simulation, Steps, Wait
from tests.simulation.functions import KEYS, SIGNAL, FunctionLog, draw_calls
from tests.simulation.histories import ClientLog, Request, check
from tests.simulation.options import was_answered_rightly

QUEUES = ("default",) * 4 + ("mail", "mail", "slow", "thin", "keyed", "keyed", "paced")
THIN = Rate(2, 1, burst=2)
PACE = Rate(1, 10, burst=2)
"""Of each key."""
MOST_OF_A_KEY = (1, 2)
NO_SUCH_JOB = 1_000_000
_DOES = ("ok",) * 6 + (
    "flaky",
    "hopeless",
    "permanent",
    "poison",
    "spoils",
    "snooze",
    "overtime",
    "hang",
    "parent",
)
_REFUSALS = (StorageError, TransitionRefused, NotFound, InvalidJob, CountChanged)


def rules_with(most_of_a_key: int) -> dict[str, QueueRules]:
    """The limits of the queues."""
    return {
        "slow": QueueRules(max_running=1),
        "thin": QueueRules(rate=THIN),
        "keyed": QueueRules(per_key=KeyRules(max_running=most_of_a_key)),
        "paced": QueueRules(per_key=KeyRules(rate=PACE)),
    }


class Client:
    """One client with a few things to do."""

    def __init__(self, simulation: Simulation, log: ClientLog, requests: int) -> None:
        self._simulation = simulation
        self._chance = simulation.chance
        self._store = simulation.world.stores["api"]
        self._log = log
        self._left = requests

    def steps(self) -> Steps:
        deeds = (
            [self._submit] * 5
            + [self._batch] * 2
            + [self._put_off]
            + [self._bundle, self._cancel, self._cancel, self._retry, self._retry]
            + [self._run_now, self._delete, self._bulk, self._pause, self._reload, self._release]
        )
        yield from self._do(deeds)

    def _do(self, deeds: Sequence[Callable[[], Steps]]) -> Steps:
        chance = self._chance
        for _ in range(self._left):
            yield from chance.choice(deeds)()
            yield Wait(chance.choice((0, 0, 50, 500, 2_000, 4_000)))

    def submit_graph(self, jobs: Sequence[NewJob]) -> Steps:
        """A batch, asked for until it is kept."""
        request = self._request(jobs)
        while request.state != "answered":
            request.state, answer = self._ask(
                "graph", lambda: self._store.jobs.submit_many(request.jobs)
            )
            yield Wait(200)
        assert isinstance(answer, list)
        request.ids = tuple(answer)

    # Asking

    def _ask(self, what: str, verb: Callable[[], object]) -> tuple[str, object]:
        """How it went (answered, refused, undecided), and the answer."""
        simulation = self._simulation
        try:
            answer = verb()
        except Crashed:
            simulation.note(f"{what}: the API died")
            return "undecided", None
        except _REFUSALS as error:
            said = str(error).replace(self._store.state.database, "the database")
            simulation.note(f"{what}: refused", said)  # in each world the same
            return "refused", error
        if self._chance.random() < simulation.faults.lost_reply:
            simulation.note(f"{what}: the answer is lost")
            return "undecided", None
        simulation.note(what, answer)
        return "answered", answer

    def _request(self, jobs: Sequence[NewJob], key: str | None = None) -> Request:
        request = Request(len(self._log.requests), (), key)
        request.jobs = tuple(
            new._replace(
                payload=json.dumps(
                    {**json.loads(new.payload), "request": request.number, "index": index}
                ),
            )
            for index, new in enumerate(jobs)
        )
        self._log.requests.append(request)
        return request

    # Jobs

    def _new(self) -> NewJob:
        chance = self._chance
        payload = {
            "does": chance.choice(_DOES),
            "ms": chance.choice((0, 10, 300, 1_500, 4_000)),
            "failures": chance.randrange(1, 3),
            "children": 2,
        }
        known = self._log.known_ids()
        depends_on = tuple(
            sorted({chance.choice(known) for _ in range(chance.randrange(1, 4))})
            if known and chance.random() < 0.25
            else ()
        )
        unique_key = chance.choice((None, None, None, "a", "b"))
        if chance.random() < 0.1 and payload["does"] != "parent":
            payload["large"] = "x" * 1_000
        if chance.random() < 0.3:
            payload["retry_ms"] = chance.choice((0, 100, 6_000))
        return NewJob(
            "asked_fragile" if payload["does"] == "poison" and chance.random() < 0.7 else "asked",
            json.dumps(payload),
            queue=chance.choice(QUEUES),
            concurrency_key=chance.choice((None, "k", "k", "l")),
            priority=chance.choice((0, 0, 1, 5)),
            delay_ms=chance.choice((0, 0, 0, 1_000, 6_000)),
            max_retries=chance.randrange(4),
            unique_key=unique_key,
            depends_on=depends_on,
            on_dependency_failure=chance.choice(("cancel", "run", "fail")),
            expires_ms=chance.choice((*(None,) * 8, 300, 2_000)),
            unique_for_ms=chance.choice((None, 1_000, 8_000)) if unique_key else None,
            replaces=unique_key is not None and chance.random() < 0.5,
            retention_ms=chance.choice((None, None, None, 0, 3_000)),
        )

    def _submit(self, new: NewJob | None = None) -> Steps:
        has_key = self._chance.random() < 0.5
        request = self._request(
            [new or self._new()], f"key-{len(self._log.requests)}" * has_key or None
        )
        store, was_undecided = self._store, False
        asked_at_ms = store.clock.wall_ms()
        while store.clock.wall_ms() - asked_at_ms < IDEMPOTENCY_MS:
            request.state, answer = self._ask(
                "submit",
                lambda: self._keyed(request, lambda: [self._submit_one(request.jobs[0])]),
            )
            if request.state == "answered":
                assert isinstance(answer, list)
                request.ids = tuple(answer)
            elif was_undecided:
                request.state = "undecided"  # a refusal now says nothing of the first time
            if request.state != "undecided" or request.key is None:
                return
            was_undecided = True
            yield Wait(200)

    def _submit_one(self, new: NewJob) -> int:
        store = self._store
        with store.write(durable=True):
            submitted = store.jobs.submit(new)
            was_answered_rightly(new, submitted, store.clock.wall_ms())
        return submitted.job.id

    def _keyed(self, request: Request, submit: Callable[[], list[int]]) -> list[int]:
        """As the API does: the jobs and the answer that its key gets are one transaction."""
        if request.key is None:
            return submit()
        store = self._store
        with store.write(durable=True):
            kept = store.idempotency.find(request.key)
            if kept is not None:
                ids: list[int] = json.loads(kept.body)
                return ids
            ids = submit()
            store.idempotency.keep(request.key, KeptAnswer("hash", 201, json.dumps(ids), None))
            return ids

    def _batch(self) -> Steps:
        """A small graph, its items in any order."""
        chance = self._chance
        items = [self._new()._replace(ref=f"r{n}") for n in range(chance.randrange(2, 6))]
        for index in range(1, len(items)):
            if chance.random() < 0.7:
                refs = tuple(f"r{n}" for n in {chance.randrange(index) for _ in range(2)})
                items[index] = items[index]._replace(depends_on=items[index].depends_on + refs)
        chance.shuffle(items)
        if not batch_problems(items):  # a circle through a unique key: the API refuses it
            yield from self._send_batch(items)

    def _put_off(self) -> Steps:
        """Some jobs of a concurrency key, and at once the first of them again, with a delay."""
        items = [
            self._new()._replace(
                queue="keyed", concurrency_key="k", unique_key=None, depends_on=(), delay_ms=0
            )
            for _ in range(3)
        ]
        items[0] = items[0]._replace(unique_key="a", priority=5)
        yield from self._send_batch(items)
        yield from self._submit(items[0]._replace(replaces=True, delay_ms=6_000))

    def _send_batch(self, items: Sequence[NewJob]) -> Steps:
        request = self._request(items)
        request.state, answer = self._ask(
            "batch", lambda: self._store.jobs.submit_many(request.jobs)
        )
        if request.state == "answered":
            assert isinstance(answer, list)
            request.ids = tuple(answer)
        yield Wait(0)

    def _bundle(self) -> Steps:
        """Two requests in one commit, the first of which is refused."""
        bad = self._request([self._new()._replace(depends_on=(NO_SUCH_JOB,), unique_key=None)])
        good = self._request([self._new()])
        bad.state = "refused"

        def both() -> list[int]:
            with self._store.write(durable=True):
                try:
                    with self._store.savepoint():
                        self._store.jobs.submit(bad.jobs[0])
                except InvalidJob:
                    return [self._store.jobs.submit(good.jobs[0]).job.id]
            raise AssertionError("a dependency that does not exist was accepted")

        good.state, answer = self._ask("bundle", both)
        if good.state == "answered":
            assert isinstance(answer, list)
            good.ids = tuple(answer)
        yield Wait(0)

    # What operators do

    def _some_id(self) -> int:
        return self._chance.choice(self._log.known_ids() or [NO_SUCH_JOB])

    def _cancel(self) -> Steps:
        job_id = self._some_id()
        state, answer = self._ask("cancel", lambda: self._store.jobs.cancel(job_id))
        if state == "answered":
            assert isinstance(answer, tuple)
            job, at_once = answer
            check(at_once == (job.status is Status.CANCELLED), "P6 the answer to a cancel", job)
        yield Wait(0)

    def _retry(self) -> Steps:
        ended = self._simulation.world.look(
            "SELECT id FROM jobs WHERE status IN ('failed', 'cancelled') ORDER BY id"
        )
        job_id = self._chance.choice(ended)[0] if ended else self._some_id()
        self._ask("retry", lambda: self._store.jobs.retry(job_id))
        yield Wait(0)

    def _run_now(self) -> Steps:
        job_id = self._some_id()
        self._ask("run", lambda: self._store.jobs.run_now(job_id))
        yield Wait(0)

    def _delete(self) -> Steps:
        job_id = self._some_id()
        if self._ask("delete", lambda: self._store.jobs.delete(job_id))[0] != "refused":
            self._log.deleted.add(job_id)
        yield Wait(0)

    def _bulk(self) -> Steps:
        action = self._chance.choice((BulkAction.CANCEL, BulkAction.RETRY))
        wanted = JobFilter(type="asked", queue=self._chance.choice(QUEUES))
        store = self._store
        state, expected = self._ask("count", lambda: store.bulk.count(action, wanted, None))
        yield Wait(0)
        if state != "answered":
            return
        assert isinstance(expected, int)
        self._ask(
            "bulk", lambda: store.bulk.change(action, wanted, by="tests", expected_count=expected)
        )

    def _pause(self) -> Steps:
        queue, queues = self._chance.choice(QUEUES), self._store.queues
        self._ask("pause", lambda: queues.pause(queue))
        yield Wait(self._chance.choice((500, 3_000)))
        while self._ask("resume", lambda: queues.resume(queue))[0] != "answered":
            yield Wait(200)

    def _reload(self) -> Steps:
        """Other limits are in force from one event on."""
        rules, store = rules_with(self._chance.choice(MOST_OF_A_KEY)), self._store

        def configure() -> None:
            with store.write(durable=False):
                store.queues.configure(rules)
                limits = {name: rule.per_key.max_running for name, rule in rules.items()}
                store.events.record(Kind.CONFIG_RELOADED, {"max_running_per_key": limits})

        self._ask("reload", configure)
        yield Wait(0)

    def _release(self) -> Steps:
        """Whatever is quarantined runs again."""
        for name in ("asked", "asked_fragile"):
            self._ask("release", lambda name=name: self._store.quarantines.release(name))  # type: ignore[misc]
            yield Wait(0)


class FunctionClient(Client):
    """Submits durable functions, sends them signals, and cancels and retries them and children."""

    def __init__(
        self, simulation: Simulation, log: ClientLog, functions: FunctionLog, requests: int
    ) -> None:
        super().__init__(simulation, log, requests)
        self._functions = functions

    def steps(self) -> Steps:
        """What it does, in any order."""
        yield from self._do(
            [self._submit] * 6
            + [self._send] * 3
            + [self._cancel] * 3
            + [self._retry, self._retry_from, self._retry_from, self._run_now, self._delete]
        )

    def _new(self) -> NewJob:
        chance = self._chance
        payload: dict[str, object] = {"does": "function", "ms": 0, "calls": draw_calls(chance)}
        if chance.random() < 0.3:
            payload["sends"] = chance.choice(KEYS)
        new = super()._new()
        return new._replace(
            type="asked_function", payload=json.dumps(payload), delay_ms=0, retention_ms=None
        )

    def _cancel(self) -> Steps:
        """Often a function that waits; perhaps it is retried while its children end."""
        waiting = self._simulation.world.look(
            "SELECT id FROM jobs WHERE status = 'blocked' AND type LIKE '%function' ORDER BY id"
        )
        if not waiting or self._chance.random() < 0.3:
            yield from super()._cancel()
            return
        job_id = self._chance.choice(waiting)[0]
        self._ask("cancel", lambda: self._store.jobs.cancel(job_id))
        yield Wait(0)
        if self._chance.random() < 0.5:
            self._ask("retry", lambda: self._store.jobs.retry(job_id))

    def _some_id(self) -> int:
        """A function, or some child."""
        kids = self._simulation.world.look("SELECT id FROM jobs WHERE type LIKE 'kid%' ORDER BY id")
        if kids and self._chance.random() < 0.4:
            return int(self._chance.choice(kids)[0])
        return super()._some_id()

    def _send(self) -> Steps:
        """Once or twice, perhaps with another payload."""
        key, store = self._chance.choice(KEYS), self._store
        for _ in range(self._chance.choice((1, 1, 2))):
            payload = json.dumps({"sent at": self._simulation.clock.now_ms, "left": self._left})
            signal = self._functions.sends(NewSignal(SIGNAL, key, payload))
            state, answer = self._ask("signal", lambda signal=signal: store.signals.send(signal))  # type: ignore[misc]
            if state == "answered":
                assert isinstance(answer, tuple)
                sent, is_new = answer
                assert isinstance(sent, Signal)
                self._functions.answered(sent, is_new=is_new)
            yield Wait(0)

    def _retry_from(self) -> Steps:
        """An operator lets a function forget what it has kept from a step on."""
        found = self._simulation.world.look(
            "SELECT job_id, name FROM steps JOIN jobs ON id = job_id "
            "WHERE status IN ('failed', 'cancelled') ORDER BY job_id, name"
        )
        if found:
            job_id, name = self._chance.choice(found)
            self._functions.retried_from[job_id] += 1
            self._ask("retry from", lambda: self._store.jobs.retry(job_id, from_step=name))
        yield Wait(0)
