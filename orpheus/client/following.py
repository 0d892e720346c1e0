"""How a job is followed: it is read again and again, and what is new is returned in order.

Events and log lines are read after those that were read before, so none is missed and none comes
twice, also if a connection is lost in between. The job is read first: if it had ended by then, all
that it has done is read after it. The lines of an attempt come behind its start and before its end.
"""

import time
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import TypeAlias

from msgspec import Struct

from orpheus.client.calls import Calls, every_event, every_line
from orpheus.client.steps import Steps
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.lifecycle import WAITING
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import WaitTimedOut
from orpheus.shared.messages.jobs import Event, Job, LogLine

_LOOKS_FOR_END = 5
"""How often events are read again if the job has ended, but the event of that is not found.

PostgreSQL numbers events after their commit, which may be late; or the event is no longer kept.
"""


class Progress(Struct, frozen=True):
    """How far a running job is, as it last reported."""

    progress: float | None
    """From 0 to 1."""
    message: str | None


Followed: TypeAlias = Event | Progress | LogLine
"""What `follow` yields."""


class Following:
    """A job that is followed, and what was read of it."""

    def __init__(
        self, calls: Calls, job_id: int, timeout: float | str | timedelta | None, *, logs: bool
    ) -> None:
        self.ended = False
        """Whether everything was read."""
        self._calls = calls
        self._id = job_id
        self._timeout_s = float("inf") if timeout is None else parse_duration_s(timeout)
        self._logs = logs
        self._began_s = time.monotonic()
        self._job: Job | None = None
        self._event: Event | None = None
        self._line_id = 0
        self._progress = Progress(None, None)
        self._looks_for_end = 0

    def new(self) -> Steps[list[Followed]]:
        """Return what is new, oldest first; wait a moment before, but for the first time.

        Raises WaitTimedOut, and NotFound.
        """
        before, self._job = self._job, (yield from self._read())
        job = self._job
        if before == job and job.status in WAITING:
            return []
        last = self._event
        events = yield from every_event(self._calls, self._id, last.seq if last else 0)
        lines: list[LogLine] = []
        if self._logs:
            lines = yield from every_line(self._calls, self._id, self._line_id)
        # Lines of an attempt whose start was not read yet come with it.
        attempt = max([job.attempt, *(event.job.attempt for event in events)])
        said: deque[tuple[int, LogLine | Progress]] = deque(
            (line.attempt, line) for line in lines if line.attempt <= attempt
        )
        if said:
            self._line_id = lines[len(said) - 1].id
        progress = Progress(job.progress, job.message)
        if progress not in (self._progress, Progress(None, None)):
            place = sum(number <= job.attempt for number, _ in said)
            said.insert(place, (job.attempt, progress))
        self._progress = progress
        self._event = last = events[-1] if events else last
        if job.ended:
            self._looks_for_end += 1
            has_end = last is not None and last.job.ended
            self.ended = has_end or self._looks_for_end == _LOOKS_FOR_END
        return [*_in_order(events, said)]

    def _read(self) -> Steps[Job]:
        if self._job is None:
            return (yield from self._calls.get(self._id))
        waited_s = time.monotonic() - self._began_s
        left_s = self._timeout_s - waited_s
        if left_s <= 0:
            raise WaitTimedOut(f"job {self._id} is {self._job.status} after {self._timeout_s:g} s")
        return (yield from self._calls.later(self._id, waited_s, left_s))


def _in_order(
    events: list[Event], said: deque[tuple[int, LogLine | Progress]]
) -> Iterator[Followed]:
    for event in events:
        is_start = event.kind == Kind.JOB_STARTED
        last = event.job.attempt - 1 if is_start else event.job.attempt
        while said and said[0][0] <= last:
            yield said.popleft()[1]
        yield event
    yield from (item for _, item in said)
