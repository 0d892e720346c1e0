"""A run that is over: healed, drained, and checked with everything that is known of it."""

from tests.chaos.clients import Subscriber
from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import ClientLog, Look
from tests.chaos.invariants import check_everything


class WatchedRun:
    """What clients ask of an Orpheus and what it tells them, from when it is ready to the end."""

    def __init__(self, orpheus: Orpheus) -> None:
        self._orpheus = orpheus
        orpheus.until_ready()
        self._supervisor_fds = orpheus.supervisor.num_fds()
        self.log = ClientLog()
        self._subscriber = Subscriber(orpheus.url)
        self._subscriber.start()

    def check_once_healed(self, drain_bound_s: float, secret: str) -> float:
        """Let everything end, and check every invariant; return the seconds that it took to end."""
        orpheus = self._orpheus
        orpheus.thaw_all()
        orpheus.until_ready()
        drained_s = orpheus.until_drained(drain_bound_s)
        orpheus.until_ready()
        with Look(orpheus.database) as tables:
            last_seq = int(tables.look("SELECT max(seq) FROM events")[0][0])
        seqs = self._subscriber.seqs
        until(lambda: seqs and seqs[-1] >= last_seq, "the last event")
        self._subscriber.stop()
        with orpheus.evidence(
            self.log,
            seqs,
            supervisor_fds=self._supervisor_fds,
            drained_s=drained_s,
            drain_bound_s=drain_bound_s,
            secret=secret,
        ) as evidence:
            check_everything(evidence)
        assert not self._subscriber.problems
        return drained_s
