"""Retention beside the open transaction of an application."""

import psycopg
import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import open_store_in
from tests.contract.conftest import FakeClock, Opener

pytestmark = pytest.mark.backends("postgresql")


def test_a_job_that_an_open_transaction_depends_on_is_passed_over(
    another: Opener, clock: FakeClock, postgresql_url: str
) -> None:
    store = another()
    needed, other = store.jobs.submit_many([NewJob("noop")] * 2)
    store.jobs.cancel(needed)
    store.jobs.cancel(other)
    clock.advance(1)
    rules = RetentionRules(done_s=0, failed_s=0, cancelled_s=0, events=1_000)
    with psycopg.connect(postgresql_url) as application:
        inside = open_store_in(application, lambda answer: answer)
        late = inside.jobs.submit(NewJob("noop", depends_on=(needed,))).job.id
        assert store.retention.step(rules)
        with pytest.raises(NotFound):
            store.jobs.get(other)
        assert not all(store.retention.step(rules) for _ in range(5)), "it looks again in vain"
    while store.retention.step(rules):
        pass
    assert store.jobs.get(late).depends_on == (needed,)
    assert store.jobs.get(needed).id == needed
