"""What attempts cost is kept with each of them."""

from collections.abc import Callable

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store

Submit = Callable[..., int]
Lend = Callable[..., list[Lease]]
End = Callable[..., bool]


def test_each_attempt_keeps_what_it_cost(
    store: Store, submit: Submit, lease: Lend, end: End
) -> None:
    job_id = submit()
    end(*lease(), Ending.SNOOZED, cpu_s=0.25, max_rss_bytes=5_000_000_000)
    end(*lease(), cpu_s=1.5, max_rss_bytes=40_000_000)
    costs = [(one.cpu_s, one.max_rss_bytes) for one in store.jobs.attempts(job_id)]
    assert costs == [(0.25, 5_000_000_000), (1.5, 40_000_000)]
