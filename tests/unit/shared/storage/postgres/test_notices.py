"""What is sent to other hosts after a commit, how often, and what they understand of it."""

import pytest

from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.postgres.notices import Notices, heard, notice_of, sender_of


def test_what_a_commit_has_is_heard_by_others_and_not_by_its_own_host() -> None:
    committed = AtCommit(queues_with_work={"mail", "films"}, has_news=True, has_request=True)
    payload = Notices("ada").payload(committed, 5.0)
    assert payload is not None
    found = heard(payload, "bob")
    assert found is not None
    assert found.queues_with_work == {"mail", "films"}
    assert found.has_news
    assert found.has_request
    assert heard(payload, "ada") is None


def test_the_same_is_sent_again_only_after_a_while() -> None:
    notices, work = Notices("ada"), AtCommit(queues_with_work={"mail"}, has_news=True)
    assert notices.payload(work, 5.0) is not None
    assert notices.payload(work, 5.019) is None
    other = notices.payload(AtCommit(queues_with_work={"mail", "films"}), 5.019)
    assert other is not None
    assert "mail" not in other, "another queue is other news"
    again = notices.payload(work, 5.021)
    assert again is not None
    assert '["mail"], false' in again
    assert notices.payload(AtCommit(has_request=True), 5.022) is not None
    assert notices.payload(AtCommit(has_request=True), 5.023) is not None, "an operator waits"


def test_a_commit_with_nothing_for_others_is_not_told() -> None:
    assert Notices("ada").payload(AtCommit(), 5.0) is None


def test_a_batch_for_many_queues_is_for_all() -> None:
    queues = {f"queue-{n}" for n in range(10_000)}
    payload = Notices("ada").payload(AtCommit(queues_with_work=queues), 5.0)
    assert payload is not None
    assert len(payload) < 8_000
    found = heard(payload, "bob")
    assert found is not None
    assert found.queues_with_work == {"*"}


@pytest.mark.parametrize("payload", ["", "hello", "[]", "7", '{"a": 1}', '["ada", 1, 2, 3]'])
def test_what_another_program_sends_is_ignored(payload: str) -> None:
    assert heard(payload, "bob") is None


def test_folders_with_different_bells_are_different_senders() -> None:
    assert sender_of("/a") == sender_of("/a")
    assert sender_of("/a") != sender_of("/b")


def test_what_an_application_commits_is_heard_by_every_host() -> None:
    committed = AtCommit(queues_with_work={"mail"}, has_news=True)
    payloads = [notice_of(committed), notice_of(committed)]
    for payload in payloads:
        assert payload is not None, "nobody knows when it commits, so it is never too often"
        found = heard(payload, sender_of("/bells"))
        assert found is not None
        assert (found.queues_with_work, found.has_news) == ({"mail"}, True)
    assert notice_of(AtCommit()) is None
