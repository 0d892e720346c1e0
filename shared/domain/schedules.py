"""When schedules tick, and which ticks to fire. Pure: the caller passes the time.

Cron ticks are cronsim's, which follows Debian's cron through clock changes. If neither the minute
nor the hour begins with `*`, a time that the clock skips in spring fires at the next real moment,
and one that comes twice in autumn fires the first time. Others fire whenever the clock shows them.
`every` ticks on multiples of its period since 1970, so a restart does not move them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
from cronsim import CronSim, CronSimError

from orpheus.shared.domain.limits import NAME

ONE_RHYTHM = "needs either cron or every"
TOO_OFTEN = "must be at least 1 s"
LATE_MS = 60_000
"""An older tick was missed: `catch_up` decides whether it fires. Verdict and alerts tell of it."""
OVERDUE_MS = 10_000
"""An older tick is shown as missed: upkeep fires one within about 1 s, a new leader in 10 s."""
_MOST_TICKS_AT_ONCE = 1_000


class CatchUp(StrEnum):
    """What to do with ticks that were missed while nothing ran."""

    ONE = "one"
    NONE = "none"
    ALL = "all"


class Overlap(StrEnum):
    """What to do with a tick while the last job of the schedule has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


class Source(StrEnum):
    """Who a schedule belongs to: the configuration file, or a program that has put it."""

    FILE = "file"
    PROGRAM = "program"


class ScheduleDefinition(msgspec.Struct, frozen=True):
    """A `[[schedules]]` entry. Exactly one of `cron` and `every_s`; `payload` is JSON text."""

    name: str
    type: str
    cron: str | None = None
    every_s: float | None = None
    timezone: str = "UTC"
    payload: str = "{}"
    queue: str | None = None
    priority: int = 0
    catch_up: CatchUp = CatchUp.ONE
    overlap: Overlap = Overlap.ALLOW
    jitter_s: float = 0
    """The job of a tick waits for a random time up to this, so that not all begin at once."""

    @property
    def in_words(self) -> str:
        """Its times in plain English: "At 03:00 on Sunday", "Every 90 seconds"."""
        if self.every_s is not None:
            return _every(self.every_s)
        return CronSim(self.cron or "", datetime(2024, 1, 1, tzinfo=UTC)).explain()

    @property
    def tag(self) -> str:
        """The tag of its jobs, by which they are found. That of a long name ends in a digest."""
        tag = f"schedule-{self.name}"
        if NAME.fullmatch(tag):
            return tag
        return f"{tag[:55]}-{sha256(self.name.encode()).hexdigest()[:8]}"

    @property
    def timing(self) -> tuple[object, ...]:
        """What its ticks follow from."""
        return self.cron, self.every_s, self.timezone


def problem_of(cron: str | None, every_s: float | None, timezone: str) -> str | None:
    """Return why these values are not a valid schedule; None if they are."""
    if (cron is None) == (every_s is None):
        return ONE_RHYTHM
    if every_s is not None:
        return None if every_s >= 1 else f"every {TOO_OFTEN}"
    problem = problem_of_timezone(timezone)
    if problem is not None:
        return f"timezone {problem}"
    problem = problem_of_cron(cron or "")
    return None if problem is None else f"cron {problem}"


def problem_of_timezone(name: str) -> str | None:
    """Return why this is not a time zone; None if it is."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        meant = sorted(zone for zone in available_timezones() if zone.endswith(f"/{name}"))
        return f"{name!r} is not known" + (f" (did you mean {meant[0]!r}?)" if meant else "")
    return None


def problem_of_cron(expression: str) -> str | None:
    """Return why a schedule cannot have this expression; None if it can."""
    if len(expression.split()) != 5:
        return f"{expression!r} must have five fields: minute, hour, day, month, day of the week"
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return f"{expression!r}: {error}"
    except StopIteration:
        return f"{expression!r} never fires"
    return None


def _every(period_s: float) -> str:
    for unit, unit_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if period_s % unit_s == 0:
            n = round(period_s / unit_s)
            return f"Every {unit}" if n == 1 else f"Every {n} {unit}s"
    return "Every second" if period_s == 1 else f"Every {period_s:g} seconds"


def ticks_after(definition: ScheduleDefinition, after_ms: int) -> Iterator[int]:
    """Yield the ticks after `after_ms`, in order, in milliseconds since 1970."""
    if definition.every_s is not None:
        period_ms = round(definition.every_s * 1000)
        tick_ms = (after_ms // period_ms + 1) * period_ms
        while True:
            yield tick_ms
            tick_ms += period_ms
    zone = ZoneInfo(definition.timezone)
    # datetime from parts: fromtimestamp() rounds, and fails for some zones far in the past.
    after = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=after_ms)).astimezone(zone)
    last_ms = after_ms
    for tick in CronSim(definition.cron or "", after):
        tick_ms = round(tick.timestamp() * 1000)
        # While an hour comes again in autumn, CronSim begins with the ticks of its first pass. One
        # that is not later than the last, stored as the next, would be due at once for ever.
        if tick_ms > last_ms:
            yield tick_ms
            last_ms = tick_ms


def ticks_in(definition: ScheduleDefinition, since_ms: int, until_ms: int) -> Iterator[int]:
    """Yield the ticks from `since_ms` on, before `until_ms`."""
    return takewhile(lambda tick_ms: tick_ms < until_ms, ticks_after(definition, since_ms - 1))


def next_tick_ms(definition: ScheduleDefinition, after_ms: int) -> int | None:
    """Return the first tick after `after_ms`; None if there is none."""
    return next(ticks_after(definition, after_ms), None)


def tick_to_wait_for(
    definition: ScheduleDefinition, tick_ms: int | None, now_ms: int
) -> int | None:
    """Return `tick_ms`, or the next tick if that one was chosen while the clock was ahead.

    After a small step back the last tick lies ahead again and has fired already: so it is waited
    for as long as it is one of the next two.
    """
    coming = list(islice(ticks_after(definition, now_ms), 2))
    if tick_ms is None or (coming and tick_ms > coming[-1]):
        return coming[0] if coming else None
    return tick_ms


def overdue_tick_ms(tick_ms: int | None, now_ms: int, late_ms: int, *, paused: bool) -> int | None:
    """Return the tick that a schedule still waits for, if it has passed and is late by so much.

    Then nobody fires it: no supervisor and no worker does the upkeep. A paused one is never late.
    """
    is_late = not paused and tick_ms is not None and tick_ms + late_ms < now_ms
    return tick_ms if is_late else None


class Due(msgspec.Struct, frozen=True):
    """The ticks to fire now, oldest first, and the next one to wait for."""

    fire_ms: tuple[int, ...]
    next_ms: int | None


def due_ticks(definition: ScheduleDefinition, tick_ms: int, now_ms: int) -> Due:
    """Return the ticks to fire at `now_ms` for a schedule that waits for `tick_ms`.

    A tick within the last minute is on time. Of older ticks, `catch_up` fires all (at most 1,000 at
    once, the rest at the next call), the newest one, or none.
    """
    if tick_ms > now_ms:
        return Due((), tick_ms)
    if definition.catch_up is CatchUp.ALL:
        later = islice(ticks_after(definition, tick_ms), _MOST_TICKS_AT_ONCE)
        ticks = [tick_ms]
        for tick in later:
            if tick > now_ms or len(ticks) == _MOST_TICKS_AT_ONCE:
                return Due(tuple(ticks), tick)
            ticks.append(tick)
        return Due(tuple(ticks), None)
    newest = _newest_tick_ms(definition, tick_ms, now_ms)
    on_time = newest >= now_ms - LATE_MS
    fire = (newest,) if on_time or definition.catch_up is CatchUp.ONE else ()
    return Due(fire, next_tick_ms(definition, now_ms))


def _newest_tick_ms(definition: ScheduleDefinition, tick_ms: int, now_ms: int) -> int:
    """Return the newest tick that is not after now, searched in windows that grow backwards."""
    window_ms = LATE_MS
    while now_ms - window_ms > tick_ms:
        first = next_tick_ms(definition, now_ms - window_ms)
        if first is not None and first <= now_ms:
            return _last_until(definition, first, now_ms)
        window_ms *= 8
    return _last_until(definition, tick_ms, now_ms)


def _last_until(definition: ScheduleDefinition, tick_ms: int, now_ms: int) -> int:
    newest = tick_ms
    for tick in ticks_after(definition, tick_ms):
        if tick > now_ms:
            break
        newest = tick
    return newest
