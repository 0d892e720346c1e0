"""The worker of a leased job is silent or gone, so that the job may not run. Pure."""

from typing import NamedTuple

from orpheus.shared.domain.crews import NOTHING_RUNS
from orpheus.shared.domain.why import Code, Reason
from orpheus.shared.domain.words import duration


class Silence(NamedTuple):
    """The silence of one worker."""

    for_s: float | None = None
    """For how long it has sent no heartbeat; None: it is gone."""
    dead_after_s: float = 0.0
    """After so long, it is taken for dead."""
    nothing_runs: bool = False
    """It is gone, and so are all other processes."""
    seen_ms: int | None = None
    """When it was heard last, if it is gone."""

    @property
    def note(self) -> str:
        """The silence in few words."""
        if self.for_s is None:
            return "worker gone"
        return f"no heartbeat for {duration(self.for_s)}"

    def reason(self, worker: str | None) -> Reason:
        """Return why a job that this worker has leased does not run."""
        its_worker = f"its worker {worker}"
        if self.for_s is None:
            then = (
                f": {NOTHING_RUNS}" if self.nothing_runs else ", and the job is not taken back yet"
            )
            return Reason(Code.WORKER_GONE, f"{its_worker} is gone{then}", by=worker)
        text = f"{its_worker} has sent no heartbeat for {duration(self.for_s)}"
        if self.for_s < self.dead_after_s:  # else the supervisor, which would do it, hangs too
            text += f"; after {duration(self.dead_after_s)} it is taken for dead"
        return Reason(Code.WORKER_SILENT, text, by=worker)
