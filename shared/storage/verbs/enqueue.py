"""Inserts new jobs: of a client, of a running job (its children) or of a schedule."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import FieldProblem, InvalidJob, UniqueKeyHeld
from orpheus.shared.storage.data import KeyHolder
from orpheus.shared.storage.database import Database, Value
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.keys import Keys

_MOST_CHARS_IN_A_ROW = 1000
"""A longer payload has a row of its own: a job's row is written whole at each change."""


_LATE_BY_MS = 1_000
"""A job that was due by more than this before it is submitted is free from its submission.

A client that gives now() as `run_at` is heard some ms later. If that counted, all its jobs would be
freed after they were due, and whoever looks for the one that waits the longest would walk them all.
"""


class Enqueue:
    """Inserts jobs: the only way into the database."""

    def __init__(
        self, database: Database, events: Events, dependencies: Dependencies, keys: Keys
    ) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._keys = keys
        self._sql = database.sql("jobs.sql")

    @property
    def now_ms(self) -> int:
        """The time by the clock of the database."""
        return self._database.clock.wall_ms()

    def lock_keys(self, unique_keys: Sequence[str]) -> None:
        """Keep others from making a job with one of these keys until this transaction ends."""
        self._database.lock("unique key", unique_keys)

    def lock_keys_within(self, unique_keys: Sequence[str], limit_ms: int) -> frozenset[str]:
        """Do the same, but wait at most so long; return the keys that others hold."""
        return self._database.lock_within("unique key", unique_keys, limit_ms)

    def holders_of(self, unique_keys: Sequence[str]) -> dict[str, KeyHolder]:
        """Return the jobs that hold some of these unique keys, by key.

        They are live, or were submitted with `unique_for`, whose time is not over.

        In a transaction, no one else can make a job with one of them until it ends.
        """
        if not unique_keys:
            return {}
        self.lock_keys(unique_keys)
        keys, now_ms = json.dumps(unique_keys), self._database.clock.wall_ms()
        rows = self._database.all(self._sql["holders-of-unique-keys"], keys, now_ms, keys)
        return {key: KeyHolder(*holder) for key, *holder in rows}

    def holders_for(self, new_jobs: Sequence[NewJob]) -> dict[str, KeyHolder]:
        """Return the same for the unique keys of new jobs, before these are inserted or replace."""
        keys = keys_of(new_jobs)
        if keys and any(new.replaces for new in new_jobs):
            self._keys.lock()  # to replace a job may give room to its key; see `Leases.finish`
        return self.holders_of(keys)

    def keep(self, new_jobs: Sequence[NewJob], pointer: str = "/jobs/{}") -> list[int]:
        """Insert jobs, inside a transaction; return their ids in order.

        For a unique key that another job holds, that job's id; see `replace`. Jobs may name each
        other by `ref`.
        Raises InvalidJob, with pointers that begin with `pointer`, if one depends on a job that
        does not exist, and UniqueKeyHeld if a job of another type has its key. Nothing is inserted
        then, so a job cannot name its own id in advance.
        """
        self.refuse_unknown(new_jobs, pointer)
        holders, keys = self.holders_for(new_jobs), keys_of(new_jobs)
        if keys:
            refuse_clashes(new_jobs, holders, pointer)
        made = _first_of_each_key(new_jobs, holders) if keys else new_jobs
        made_ids = self._insert(made)
        ids = _ids_of(new_jobs, holders, made, made_ids) if keys else made_ids
        self._store_large_payloads(zip(made, made_ids, strict=True))
        self._index_tags(made, made_ids)
        if any(new.depends_on for new in made):
            refs = {new.ref: job_id for new, job_id in zip(new_jobs, ids, strict=True) if new.ref}
            self._record_waiting(made, made_ids, refs)
        else:
            self._events.record_jobs(Kind.JOB_ENQUEUED, made_ids)
        if keys:
            self._replace_held(new_jobs, made, ids)
        return [*ids]

    def _insert(self, made: Sequence[NewJob]) -> Sequence[int]:
        """Insert jobs, and return their ids."""
        now_ms, at_commit = self._database.clock.wall_ms(), self._database.at_commit
        has_keys = any(new.concurrency_key is not None for new in made)
        parked = self._keys.to_park(made, now_ms) if has_keys else ()
        rows = [_row(new, now_ms, index in parked) for index, new in enumerate(made)]
        ids = self._database.insert(self._sql["insert-job"], rows)
        ready = [new.queue for new in made if not new.depends_on]
        blocked = [new.queue for new in made if new.depends_on]
        at_commit.count_jobs(ready, None, Status.PENDING)
        at_commit.count_jobs(blocked, None, Status.BLOCKED)
        at_commit.queues_with_work.update(ready)
        return ids

    def _replace_held(
        self, new_jobs: Sequence[NewJob], made: Sequence[NewJob], ids: Sequence[int]
    ) -> None:
        """Replace the jobs whose unique keys kept others of `new_jobs` from being made."""
        inserted = {id(new) for new in made}
        held = [
            (job_id, new)
            for new, job_id in zip(new_jobs, ids, strict=True)
            if new.replaces and id(new) not in inserted
        ]
        # In one order, so that two transactions do not wait for each other.
        for job_id, new in sorted(held, key=lambda pair: pair[0]):
            self.replace(job_id, new)

    def replace(self, job_id: int, new: NewJob) -> None:
        """Give a job that has never started the payload and time of `new`, inside a transaction.

        A job that has started stays as it is. Another of its concurrency key may start before one
        that now waits for its time.
        """
        now_ms = self._database.clock.wall_ms()
        run_at_ms = _run_at_ms(new, now_ms)
        row = self._database.one(
            self._sql["replace-job"],
            _payload_in_row(new),
            int(run_at_ms <= now_ms),
            run_at_ms,
            _freed_at_ms(new, run_at_ms, now_ms),
            new.versions,
            _expires_ms(new, run_at_ms),
            job_id,
        )
        if row is not None:
            self._database.run(self._sql["forget-large-payload"], job_id)
            self._store_large_payloads([(new, job_id)])
            queue, key = row
            if key is not None:
                self._keys.look_at([(queue, key)])
            self._database.at_commit.ring_workers(queue)
            self._events.record_jobs(Kind.JOB_REQUEUED, [job_id])

    def _store_large_payloads(self, jobs: Iterable[tuple[NewJob, int]]) -> None:
        large = [
            (job_id, new.payload) for new, job_id in jobs if len(new.payload) > _MOST_CHARS_IN_A_ROW
        ]
        if large:
            self._database.run_many(self._sql["insert-large-payload"], large)

    def _index_tags(self, made: Sequence[NewJob], ids: Sequence[int]) -> None:
        tags = [(tag, job_id) for new, job_id in zip(made, ids, strict=True) for tag in new.tags]
        if tags:
            self._database.run_many(self._sql["insert-tag"], tags)

    def _record_waiting(
        self, made: Sequence[NewJob], ids: Sequence[int], refs: Mapping[str, int]
    ) -> None:
        """Link jobs to their dependencies, after `job.enqueued`: ended ones cause events."""
        links, named = [], []
        for new, job_id in zip(made, ids, strict=True):
            dependencies = list(
                dict.fromkeys(
                    refs[dependency] if isinstance(dependency, str) else dependency
                    for dependency in new.depends_on
                )
            )
            if dependencies:
                links.append((job_id, dependencies))
            named += [
                (dependency, job_id, refs[dependency])
                for dependency in new.depends_on
                if isinstance(dependency, str)
            ]
        self._database.run_many(
            self._sql["set-dependencies"],
            [
                (json.dumps(dependencies), len(dependencies), job_id)
                for job_id, dependencies in links
            ],
        )
        self._events.record_jobs(Kind.JOB_ENQUEUED, ids)
        self._dependencies.link(links, ids, named)

    def refuse_unknown(self, new_jobs: Sequence[NewJob], pointer: str) -> None:
        """Raise InvalidJob, inside a transaction, if one depends on a job that does not exist."""
        named = {
            dependency
            for new in new_jobs
            for dependency in new.depends_on
            if isinstance(dependency, int)
        }
        if not named:
            return
        known = self._database.all(self._sql["known-ids"], json.dumps(list(named)))
        unknown = named - {row[0] for row in known}
        problems = [
            FieldProblem(
                f"{pointer.format(n)}/depends_on/{position}", f"there is no job {dependency}"
            )
            for n, new in enumerate(new_jobs)
            for position, dependency in enumerate(new.depends_on)
            if dependency in unknown
        ]
        if problems:
            raise InvalidJob.of(problems)


def _row(new: NewJob, now_ms: int, is_parked: bool) -> tuple[Value, ...]:
    """Return the values of `insert-job`. What a job waits for is stored when all ids are known.

    A job that was due long before it was submitted waits from its submission: it is free from then.
    """
    run_at_ms = _run_at_ms(new, now_ms)
    return (
        new.type,
        _payload_in_row(new),
        Status.BLOCKED if new.depends_on else Status.PENDING,
        new.queue,
        new.priority,
        int(run_at_ms <= now_ms),
        new.max_retries,
        new.timeout_s,
        now_ms,
        run_at_ms,
        new.unique_key,
        json.dumps(new.tags) if new.tags else "[]",
        len(set(new.depends_on)),
        new.on_dependency_failure,
        new.traceparent,
        new.concurrency_key,
        int(is_parked),
        _freed_at_ms(new, run_at_ms, now_ms),
        new.versions,
        new.scheduled_ms,
        _expires_ms(new, run_at_ms),
        None if new.unique_for_ms is None else now_ms + new.unique_for_ms,
        new.retention_ms,
    )


def _run_at_ms(new: NewJob, now_ms: int) -> int:
    return now_ms + new.delay_ms if new.run_at_ms is None else new.run_at_ms


def _payload_in_row(new: NewJob) -> str:
    return new.payload if len(new.payload) <= _MOST_CHARS_IN_A_ROW else ""


def _freed_at_ms(new: NewJob, run_at_ms: int, now_ms: int) -> int | None:
    return now_ms if run_at_ms < now_ms - _LATE_BY_MS and not new.depends_on else None


def _expires_ms(new: NewJob, run_at_ms: int) -> int | None:
    return None if new.expires_ms is None else run_at_ms + new.expires_ms


def keys_of(new_jobs: Iterable[NewJob]) -> list[str]:
    """Return the unique keys of jobs."""
    return [new.unique_key for new in new_jobs if new.unique_key is not None]


def clashes(
    new_jobs: Sequence[NewJob], holders: Mapping[str, KeyHolder]
) -> Iterator[tuple[int, str]]:
    """Yield the positions of the jobs whose unique key a job of another type holds, and which.

    Who relies on the live job relies on what it does (docs/adr/0039). A key that nobody holds is
    that of the first of these jobs.
    """
    taken = dict(holders)
    for position, new in enumerate(new_jobs):
        if new.unique_key is not None:
            holder = taken.setdefault(new.unique_key, KeyHolder(0, new.type))
            if holder.type != new.type:
                yield position, holder.refusal(new.unique_key)


def refuse_clashes(
    new_jobs: Sequence[NewJob], holders: Mapping[str, KeyHolder], pointer: str
) -> None:
    """Raise UniqueKeyHeld if a job of another type has the unique key of one of these."""
    problems = [
        FieldProblem(f"{pointer.format(position)}/unique_key", detail)
        for position, detail in clashes(new_jobs, holders)
    ]
    if problems:
        raise UniqueKeyHeld.of(problems)


def _first_of_each_key(
    new_jobs: Iterable[NewJob], holders: Mapping[str, KeyHolder]
) -> list[NewJob]:
    """Return the jobs to insert: those without a key, and the first with each that is free."""
    taken = set(holders)
    made = []
    for new in new_jobs:
        if new.unique_key is None:
            made.append(new)
        elif new.unique_key not in taken:
            taken.add(new.unique_key)
            made.append(new)
    return made


def _ids_of(
    new_jobs: Iterable[NewJob],
    holders: Mapping[str, KeyHolder],
    made: Sequence[NewJob],
    made_ids: Sequence[int],
) -> list[int]:
    """Return the id of each job: its own, or that of the job which holds its key."""
    by_key, keyless = {key: holder.id for key, holder in holders.items()}, []
    for new, job_id in zip(made, made_ids, strict=True):
        if new.unique_key is None:
            keyless.append(job_id)
        else:
            by_key[new.unique_key] = job_id
    own = iter(keyless)
    return [next(own) if new.unique_key is None else by_key[new.unique_key] for new in new_jobs]


_CHILD = "/children/{}"


class Children:
    """Checks and inserts the children of jobs that end together."""

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    def lock_keys(self, finished: Sequence[Finished], limit_ms: int | None) -> set[int]:
        """Keep others from making a job with a unique key of these children.

        `limit_ms`: wait at most so long for other transactions. Return the tokens of those jobs
        whose children have a key that others hold: nothing may be done with these.
        """
        keys = keys_of(child for parent in finished for child in parent.new_jobs)
        if limit_ms is None:
            self._enqueue.lock_keys(keys)
            return set()
        held = self._enqueue.lock_keys_within(keys, limit_ms) if keys else frozenset()
        return {
            parent.lease.token
            for parent in finished
            if held and not held.isdisjoint(keys_of(parent.new_jobs))
        }

    def checked(self, finished: Sequence[Finished]) -> tuple[list[Finished], list[Finished]]:
        """Return the ends, and a permanent failure for each with a child that is refused.

        One of its children depends on a job that does not exist any more, or has a unique key that
        is of another type. Those of the others can be inserted until the transaction ends, once all
        of these jobs have ended: the key of each is free by then, whatever their order is.
        """
        holders = self._enqueue.holders_of(
            keys_of(child for parent in finished for child in parent.new_jobs)
        )
        ending_ids = {parent.lease.job_id for parent in finished if parent.wait is None}
        now_ms = self._enqueue.now_ms
        taken = {
            key: held
            for key, held in holders.items()
            if held.id not in ending_ids or (held.until_ms or 0) > now_ms
        }
        accepted, refused = [], []
        for parent in finished:
            try:
                self._refuse(parent, taken)
            except (InvalidJob, UniqueKeyHeld) as why:
                error = JobError("PermanentError", f"enqueue: {why}")
                refused.append(
                    Finished(parent.lease, Ending.FAILED_PERMANENTLY, error=error, run=parent.run)
                )
                continue
            accepted.append(parent)
            for child in parent.new_jobs:
                if child.unique_key is not None:
                    taken.setdefault(child.unique_key, KeyHolder(0, child.type))
        return accepted, refused

    def keep(self, finished: Iterable[Finished]) -> None:
        """Insert the children of jobs that are done."""
        for children in _together(parent.children for parent in finished):
            self._enqueue.keep(children)

    def _refuse(self, parent: Finished, taken: Mapping[str, KeyHolder]) -> None:
        """Raise InvalidJob or UniqueKeyHeld if the children of a job cannot be inserted."""
        children = parent.new_jobs
        if not children:
            return
        self._enqueue.refuse_unknown(children, _CHILD)
        refuse_clashes(children, taken, _CHILD)
        for position, child in enumerate(children if parent.wait is not None else ()):
            holder = taken.get(child.unique_key) if child.unique_key is not None else None
            is_itself = holder is not None and holder.id == parent.lease.job_id
            if is_itself or parent.lease.job_id in child.depends_on:
                field = "unique_key" if is_itself else "depends_on"
                why = "names this job itself, which would wait for itself"
                raise InvalidJob.of([FieldProblem(f"{_CHILD.format(position)}/{field}", why)])


def _together(groups: Iterable[Sequence[NewJob]]) -> list[list[NewJob]]:
    """Return the children of jobs as they are inserted: all at once, or by job if some name others.

    `groups`: those of each job.
    """
    named = [list(group) for group in groups if group]
    if any(child.depends_on for group in named for child in group):
        return named
    return [list(chain.from_iterable(named))] if named else []
