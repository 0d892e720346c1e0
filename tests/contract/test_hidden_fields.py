"""Hidden fields: found by no search, and hidden as long as the jobs are there."""

from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.messages.jobs import job_preview_of
from orpheus.shared.storage import BulkAction, JobOrder, Store, TypeRow

PAYLOAD = '{"card":{"number":"4711"},"customer":"ada"}'
PAY = TypeRow("pay", '{"type":"object"}', None, None, None, "", hide="payload.card result.token")
NOTE = TypeRow("note", '{"type":"object"}', None, None, None, "")
GUESSES = (
    JobFilter(q="4711"),
    JobFilter(q="ada"),
    JobFilter(q='"number'),
    JobFilter(payload="card.number=4711"),
    JobFilter(payload='card.number="4711"'),
    JobFilter(payload='customer=ada card.number="4711"'),
    JobFilter(payload="card.0=4711"),
)


@pytest.fixture
def jobs(store: Store) -> tuple[int, int]:
    """Two jobs with the same payload; only of the first the card is hidden."""
    store.types.replace([PAY, NOTE])
    return store.jobs.submit(NewJob("pay", PAYLOAD)).job.id, store.jobs.submit(
        NewJob("note", PAYLOAD)
    ).job.id


def found(store: Store, wanted: JobFilter) -> list[int]:
    return [job.id for job in store.lists.page(wanted, 10).jobs]


@pytest.mark.parametrize("wanted", GUESSES)
def test_no_guess_of_a_hidden_value_finds_or_counts_a_job(
    store: Store, jobs: tuple[int, int], wanted: JobFilter
) -> None:
    pay, note = jobs
    assert pay not in found(store, wanted)
    assert store.lists.total(wanted).value == len(found(store, wanted)) <= 1
    assert store.lists.ids(wanted, [*Status], max_id=note) in ([], [note])
    assert store.bulk.count(BulkAction.CANCEL, wanted, note) == len(found(store, wanted))

    store.hidden.configure(["payload.*"])
    assert found(store, wanted) == []
    assert store.lists.total(wanted).value == 0
    assert not store.lists.page(wanted, 10, order=JobOrder.ENDED).jobs


def test_what_is_not_hidden_is_found(store: Store, jobs: tuple[int, int]) -> None:
    pay, note = jobs
    assert found(store, JobFilter(payload="customer=ada")) == [note, pay]
    assert found(store, JobFilter(q="pay")) == [pay]
    assert found(store, JobFilter(payload="card.number='4711'".replace("'", '"'))) == [note]
    assert found(store, JobFilter(q="4711")) == [note]


def test_a_preview_shows_the_beginning_of_what_is_not_hidden(store: Store) -> None:
    store.types.replace([PAY, NOTE])
    long = '{"card":"4711","text":"' + "x" * 500 + '"}'
    longest = '{"card":"4711","text":"' + "x" * 20_000 + '"}'
    for payload in (long, longest):
        store.jobs.submit(NewJob("pay", payload))
        store.jobs.submit(NewJob("note", payload))

    def previews() -> list[Any]:
        page, hidden = store.lists.page(JobFilter(), 10, preview_chars=50), store.hidden.rules()
        return [job_preview_of(job, hidden, 50).payload for job in page.jobs]

    mask = '"••••••••"'
    shown = '{"card":' + mask + ',"text":"'
    assert previews() == [longest[:50], mask, long[:50], f"{shown:x<50}"]
    store.hidden.configure(["payload.card"])
    assert previews() == [mask, mask, f"{shown:x<50}", f"{shown:x<50}"]


def test_the_rules_of_a_type_stay_when_no_host_has_it_any_more(
    store: Store, jobs: tuple[int, int]
) -> None:
    pay, _ = jobs
    row = store.types.get("pay")
    assert row is not None and row.hide == "payload.card result.token"
    store.types.replace([NOTE])
    assert store.types.get("pay") is None
    assert store.hidden.of_job(pay).written == ["payload.card", "result.token"]
    store.types.replace([TypeRow("pay", "{}", None, None, None, "")])
    assert not store.hidden.of_job(pay)


def test_a_type_hides_what_any_of_its_versions_hides(store: Store) -> None:
    store.types.replace([PAY], host="one")
    other = TypeRow("pay", "{}", None, None, None, "", hide="payload.pin")
    store.types.replace([other], host="two")
    written = set(store.hidden.rules().of("pay").written)
    assert "payload.pin" in written
    assert ("payload.card" in written) == store.has_many_hosts


def test_rules_of_all_types_are_those_of_the_process_and_of_the_supervisor(store: Store) -> None:
    store.hidden.configure(["payload.a", "payload.b"])
    assert store.hidden.rules().everywhere.written == ["payload.a", "payload.b"]
    store.types.replace([PAY])
    row = store.types.get("pay")
    assert row is not None
    assert set(row.hide.split()) == {"payload.a", "payload.b", "payload.card", "result.token"}
    store.hidden.configure([])
    assert not store.hidden.rules().everywhere
