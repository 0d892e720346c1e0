"""Lists of jobs: by when they ended, by error, by text, and in parts where that takes long."""

import random
from itertools import combinations, product
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter, filter_problems
from orpheus.shared.domain.jobs import Job, NewJob, Status
from orpheus.shared.domain.lifecycle import TERMINAL, Ending
from orpheus.shared.storage import Budget, JobCursor, JobOrder, Store, Total
from orpheus.shared.storage.verbs import windows
from tests.contract.conftest import Submit

LIST = JobOrder.NEWEST, JobOrder.ENDED


class NoTime(Budget):
    """A budget that is over after each window."""

    limit_s: float = 0.0

    def next_window(self, looked_at: int, window: int) -> int:
        return 0


class NoHurry(Budget):
    """A budget that is never over."""

    limit_s: float = 0.0

    def next_window(self, looked_at: int, window: int) -> int:
        return window


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW", 7)


@pytest.fixture
def mixed(store: Store, lease: Any, end: Any, clock: Any) -> list[Job]:
    """Jobs that ended in another order than they came, and some in the same millisecond."""
    chance = random.Random(7)
    store.jobs.submit_many(
        [
            NewJob(
                chance.choice(["a", "b"]),
                queue=chance.choice(["q1", "q2"]),
                tags=chance.choice([(), ("t",)]),
                payload=chance.choice(['{"s":"needle"}', "{}"]),
            )
            for _ in range(60)
        ]
    )
    leases = lease(40)
    chance.shuffle(leases)
    for one in leases[:35]:
        clock.advance(chance.choice([0, 10]))
        end(one, chance.choice([Ending.SUCCEEDED, Ending.FAILED_PERMANENTLY]))
    for job_id in (51, 53, 55):
        store.jobs.cancel(job_id)
    return store.jobs.page(JobFilter(), 100)


def is_wanted(job: Job, wanted: JobFilter) -> bool:
    ended = job.finished_at_ms
    return (
        wanted.status in (None, job.status)
        and wanted.type in (None, job.type)
        and wanted.queue in (None, job.queue)
        and (wanted.tag is None or wanted.tag in job.tags)
        and (wanted.q is None or wanted.q in job.payload)
        and (wanted.error is None or (job.error is not None and job.error.type == wanted.error))
        and wanted.where in (None, "")  # which all of these have
        and (wanted.ids is None or job.id in wanted.ids)
        and (wanted.since_ms is None or (ended is not None and ended >= wanted.since_ms))
        and (wanted.until_ms is None or (ended is not None and ended < wanted.until_ms))
    )


def expected(jobs: list[Job], wanted: JobFilter, order: JobOrder) -> list[int]:
    found = [job for job in jobs if is_wanted(job, wanted)]
    if order is JobOrder.ENDED:
        found = [job for job in found if job.status in TERMINAL]
        found.sort(key=lambda job: (job.finished_at_ms or 0, job.id), reverse=True)
    return [job.id for job in found]


def read(store: Store, wanted: JobFilter, order: JobOrder, limit: int, budget: Any) -> list[int]:
    """All pages, one after the other."""
    ids: list[int] = []
    cursor: JobCursor | None = None
    for _ in range(200):
        page = store.lists.page(wanted, limit, order=order, cursor=cursor, budget=budget)
        ids += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return ids
        assert page.looked_at is not None or len(page.jobs) == limit
        cursor = page.next_cursor
    raise AssertionError("it has no end")


FIELDS: dict[str, tuple[Any, ...]] = {
    "status": (None, Status.FAILED, Status.DONE),
    "type": (None, "a"),
    "queue": (None, "q2"),
    "tag": (None, "t"),
    "q": (None, "needle"),
    "error": (None, "ValueError"),
}


@pytest.mark.parametrize("order", LIST)
@pytest.mark.parametrize(
    "budget",
    [None, pytest.param(NoTime(), marks=pytest.mark.long)],  # in parts: each two fields, below
    ids=["in one go", "in parts"],
)
@pytest.mark.usefixtures("small_windows")
def test_pages_have_each_matching_job_once_and_in_order_whatever_the_filter(
    store: Store, mixed: list[Job], order: JobOrder, budget: Any
) -> None:
    for values in product(*FIELDS.values()):
        wanted = JobFilter(**dict(zip(FIELDS, values, strict=True)))
        assert read(store, wanted, order, 4, budget) == expected(mixed, wanted, order), wanted


def test_every_two_fields_of_a_filter_go_together_in_parts(
    store: Store, mixed: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW", 15)  # a fourth of the jobs
    ends = sorted({job.finished_at_ms for job in mixed if job.finished_at_ms is not None})
    fields = {name: values[1] for name, values in FIELDS.items()}
    fields |= {"where": "", "since_ms": ends[2], "until_ms": ends[-2]}
    fields |= {"ids": tuple(range(5, 56))}
    for names in combinations(fields, 2):
        wanted = JobFilter(**{name: fields[name] for name in names})
        for order in LIST:
            found = expected(mixed, wanted, order)
            assert read(store, wanted, order, 4, NoTime()) == found, (names, order)
            assert store.lists.total(wanted, Budget(60), order=order).value == len(found), names
        ids = store.lists.ids(wanted, Status, max_id=60)
        assert ids == expected(mixed, wanted, JobOrder.NEWEST)[::-1], names


PAYLOADS = [
    '{"customer":4711,"order":{"id":"a 1","paid":true,"items":[{"sku":"x"}]}}',
    '{"customer":"4711","order":{"id":null,"paid":"true"}}',
    '{"customer":4711.0,"order":[],"big":9007199254740993}',
    '{"customer":{"id":4711},"long":"%s"}' % ("x" * 2_000),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("customer=4711", [1, 3]),
        ("payload.customer=4711", [1, 3]),
        ('customer="4711"', [2]),
        ("customer.id=4711", [4]),
        ("order.paid=true", [1]),
        ('order.paid="true"', [2]),
        ("order.id=null", [2]),
        ('order.id="a 1"  order.paid=true', [1]),
        ("order.items.0.sku=x", [1]),
        ("order.items.1.sku=x", []),
        ("big=9007199254740993", [3]),
        ("big=9007199254740992", []),
        ("order=[]", []),
        ("no-such.field=1", []),
        ("customer=1e999", []),
        ("customer=x'||'y", []),
    ],
)
def test_jobs_are_found_by_the_value_of_a_payload_field_and_its_type(
    store: Store, text: str, found: list[int]
) -> None:
    store.jobs.submit_many([NewJob("a", payload=payload) for payload in PAYLOADS])
    wanted = JobFilter(payload=text)
    assert filter_problems(wanted) == []
    assert sorted(read(store, wanted, JobOrder.NEWEST, 10, NoTime())) == found
    assert store.lists.ids(wanted, Status, max_id=9) == found


@pytest.mark.parametrize(
    "text", ["customer", "customer=", "=1", "a=1 b", "a.=1", 'a="1', 'a="\\u0000"']
)
def test_a_payload_field_that_cannot_be_read_is_a_problem(text: str) -> None:
    (problem,) = filter_problems(JobFilter(payload=text))
    assert problem.pointer == "/payload"


@pytest.mark.parametrize("field", [None, "status", "type", "queue", "tag"])
def test_a_total_of_what_has_ended_counts_nothing_else(
    store: Store, mixed: list[Job], field: str | None
) -> None:
    for value in FIELDS[field] if field else (None,):
        wanted = JobFilter(**({field: value} if field else {}))
        total = store.lists.total(wanted, order=JobOrder.ENDED)
        assert total == Total(len(expected(mixed, wanted, JobOrder.ENDED)), exact=True)


@pytest.mark.parametrize("order", LIST)
@pytest.mark.parametrize("budget", [None, NoHurry()], ids=["in one go", "in windows"])
def test_no_page_has_more_bytes_than_allowed_whatever_it_is_made_of(
    store: Store,
    lease: Any,
    end: Any,
    monkeypatch: pytest.MonkeyPatch,
    order: JobOrder,
    budget: Any,
) -> None:
    monkeypatch.setattr(windows, "_FIRST_WINDOW", 2)
    payload = '{"s":"needle' + "x" * 1000 + '"}'
    store.jobs.submit_many([NewJob("noop", payload=payload)] * 12)
    for number, one in enumerate(lease(8)):
        end(one, Ending.FAILED_PERMANENTLY if number % 2 else Ending.SUCCEEDED)
    for job_id in (9, 10, 11, 12):
        store.jobs.cancel(job_id)
    wanted = JobFilter(q="needle")
    sizes: list[int] = []
    ids: list[int] = []
    cursor: JobCursor | None = None
    while not sizes or cursor is not None:
        page = store.lists.page(
            wanted, 9, order=order, cursor=cursor, most_bytes=3900, budget=budget
        )
        sizes.append(len(page.jobs))
        ids += [job.id for job in page.jobs]
        cursor = page.next_cursor
    assert sizes == [3, 3, 3, 3]
    assert ids == expected(store.jobs.page(JobFilter(), 100), wanted, order)


@pytest.mark.parametrize("budget", [None, NoTime()], ids=["in one go", "in parts"])
@pytest.mark.usefixtures("small_windows")
def test_a_time_of_ends_is_from_its_first_moment_to_before_its_last(
    store: Store, mixed: list[Job], budget: Any
) -> None:
    ends = sorted({job.finished_at_ms for job in mixed if job.finished_at_ms is not None})
    since, until = ends[2], ends[-2]
    for status, type in product((None, Status.FAILED), (None, "b")):
        wanted = JobFilter(status, type, since_ms=since, until_ms=until)
        for order in LIST:
            found = read(store, wanted, order, 3, budget)
            assert found == expected(mixed, wanted, order)
        assert store.lists.total(wanted).value == len(found) > 0


def test_a_page_that_ends_early_says_how_far_it_looked(
    store: Store, submit: Submit, small_windows: None, clock: Any
) -> None:
    for n in range(30):
        clock.advance(1000)
        submit(payload='{"s":"needle"}' if n in (3, 28) else "{}")
    page = store.lists.page(JobFilter(q="needle"), 5, budget=NoTime())
    assert [job.id for job in page.jobs] == [29]
    assert (page.looked_at, page.next_cursor) == (7, JobCursor(0, 24))
    assert page.reached_ms == store.jobs.get(24).created_at_ms
    whole = store.lists.page(JobFilter(q="needle"), 5, budget=Budget(60))
    assert [job.id for job in whole.jobs] == [29, 4]
    assert (whole.looked_at, whole.next_cursor, whole.reached_ms) == (None, None, None)
