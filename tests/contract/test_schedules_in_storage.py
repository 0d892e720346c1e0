"""A tick is fired exactly once, whoever looks and however often."""

import msgspec
import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.schedules import CatchUp, Overlap, ScheduleDefinition, Source
from orpheus.shared.errors import InvalidJob, NotFound, TransitionRefused
from orpheus.shared.operations.operator_actions import pause_queue, pause_schedule
from orpheus.shared.storage import Actor, Pause, Store

MINUTELY = ScheduleDefinition("report", "noop", cron="* * * * *", queue="reports")


def make_job(definition: ScheduleDefinition) -> NewJob:
    return NewJob(definition.type, payload=definition.payload, queue=definition.queue or "default")


@pytest.fixture(autouse=True)
def on_the_minute(clock) -> None:
    clock.wall -= clock.wall % 60_000


def test_a_tick_enqueues_its_job_once_for_all_who_look(store: Store, another, clock) -> None:
    store.schedules.configure([MINUTELY])
    assert store.schedules.fire_due(make_job) == []
    clock.advance(60_000)
    fired = store.schedules.fire_due(make_job) + another().schedules.fire_due(make_job)
    assert len(fired) == 1
    assert store.jobs.get(fired[0]).queue == "reports"
    row = store.schedules.get("report")
    assert (row.last_job_id, row.last_run_ms) == (fired[0], clock.wall)
    assert row.tick_ms == clock.wall + 60_000
    assert Kind.SCHEDULE_FIRED in {event.kind for event in store.events.after(0, 10)}


def test_a_job_keeps_the_time_of_its_tick(store: Store, clock) -> None:
    store.schedules.configure([MINUTELY])
    tick_ms = clock.wall + 60_000
    clock.advance(65_000)
    (job_id,) = store.schedules.fire_due(make_job)
    now = store.schedules.run_now("report", make_job)
    other = store.jobs.submit(NewJob("noop", queue="reports")).job.id
    leases = store.leases.lease(Holder("default-1", "i", 1), ("reports",), 3, 30_000)
    scheduled = {lease.job_id: lease.scheduled_ms for lease in leases}
    assert scheduled == {job_id: tick_ms, now: clock.wall, other: None}
    assert store.jobs.get(job_id).scheduled_ms == tick_ms


def test_a_tick_that_has_no_job_passes_and_holds_up_no_other(store: Store, clock) -> None:
    store.schedules.configure([MINUTELY, ScheduleDefinition("a", "noop", every_s=60)])
    clock.advance(60_000)
    fired = store.schedules.fire_due(lambda one: None if one.name == "a" else make_job(one))
    assert len(fired) == 1
    assert store.schedules.get("a").tick_ms == clock.wall + 60_000
    assert store.schedules.get("a").last_job_id is None


def test_a_tick_read_before_another_process_moved_it_is_not_fired(
    store: Store, another, clock
) -> None:
    store.schedules.configure([MINUTELY])
    clock.advance(60_000)
    stale = store.schedules.get("report")
    other = another()
    assert len(other.schedules.fire_due(make_job)) == 1
    assert store.schedules._fire(stale, clock.wall, make_job) == []


def test_a_restart_fires_neither_twice_nor_too_little(store: Store, another, clock) -> None:
    store.schedules.configure([MINUTELY])
    for _ in range(3):
        clock.advance(60_000)
        restarted = another()
        restarted.schedules.configure([MINUTELY])
        assert len(restarted.schedules.fire_due(make_job)) == 1
        assert restarted.schedules.fire_due(make_job) == []
    assert len(store.jobs.page(JobFilter(type="noop"), 50)) == 3


def test_a_changed_definition_waits_for_its_own_next_tick(store: Store, clock) -> None:
    store.schedules.configure([MINUTELY])
    clock.advance(60_000)
    hourly = ScheduleDefinition("report", "noop", cron="0 * * * *")
    store.schedules.configure([hourly])
    assert store.schedules.fire_due(make_job) == []
    store.schedules.configure([])
    assert store.schedules.all() == []


HOURLY = ScheduleDefinition("report", "noop", cron="0 * * * *")


def test_a_program_puts_and_removes_its_schedules_and_the_file_leaves_them_alone(
    store: Store, clock
) -> None:
    assert store.schedules.put(MINUTELY) is None
    assert store.schedules.put(MINUTELY) == store.schedules.get("report")
    file = msgspec.structs.replace(MINUTELY, name="file")
    assert store.schedules.configure([file]) == []
    assert {row.definition.name: row.source for row in store.schedules.all()} == {
        "file": Source.FILE, "report": Source.PROGRAM,
    }  # fmt: skip
    clock.advance(60_000)
    assert len(store.schedules.fire_due(make_job)) == 2
    store.schedules.configure([])
    store.schedules.remove("report")
    assert store.schedules.all() == []
    with pytest.raises(NotFound):
        store.schedules.remove("report")


def test_a_put_with_the_same_timing_keeps_the_tick_and_the_pause(store: Store, clock) -> None:
    store.schedules.put(MINUTELY)
    store.schedules.pause("report")
    before = store.schedules.get("report")
    clock.advance(90_000)
    store.schedules.put(msgspec.structs.replace(MINUTELY, priority=5))
    row = store.schedules.get("report")
    assert (row.tick_ms, row.paused, row.definition.priority) == (before.tick_ms, True, 5)
    store.schedules.put(HOURLY)
    assert (store.schedules.get("report").tick_ms or 0) % 3_600_000 == 0


def test_a_schedule_of_the_file_is_changed_by_the_file_alone(store: Store) -> None:
    store.schedules.configure([MINUTELY])
    with pytest.raises(TransitionRefused, match="stands in the configuration file"):
        store.schedules.put(HOURLY)
    with pytest.raises(TransitionRefused, match="stands in the configuration file"):
        store.schedules.remove("report")
    assert store.schedules.get("report").definition == MINUTELY


def test_the_file_takes_over_a_schedule_of_a_program_and_keeps_its_tick(
    store: Store, clock
) -> None:
    store.schedules.put(MINUTELY)
    tick_ms = store.schedules.get("report").tick_ms
    clock.advance(90_000)
    assert store.schedules.configure([MINUTELY]) == ["report"]
    assert store.schedules.configure([MINUTELY]) == []
    row = store.schedules.get("report")
    assert (row.source, row.tick_ms) == (Source.FILE, tick_ms)


@pytest.mark.parametrize("change", ["remove", "pause", "put"])
def test_a_tick_read_before_its_schedule_was_changed_is_not_fired(
    store: Store, another, clock, change: str
) -> None:
    store.schedules.put(MINUTELY)
    clock.advance(60_000)
    stale = store.schedules.get("report")
    other = another().schedules
    if change == "put":
        other.put(msgspec.structs.replace(MINUTELY, priority=5))
    else:
        getattr(other, change)("report")
    assert store.schedules._fire(stale, clock.wall, make_job) == []
    assert store.jobs.page(JobFilter(), 10) == []


SKIPPING = msgspec.structs.replace(MINUTELY, overlap=Overlap.SKIP)


def test_a_tick_is_skipped_while_the_last_job_is_live(store: Store, clock) -> None:
    store.schedules.configure([SKIPPING])
    clock.advance(60_000)
    (first,) = store.schedules.fire_due(make_job)
    clock.advance(60_000)
    assert store.schedules.fire_due(make_job) == []
    row = store.schedules.get("report")
    assert (row.skipped_ms, row.skipped_for) == (clock.wall, first)
    assert (row.tick_ms, row.last_job_id, row.missed_ms) == (clock.wall + 60_000, first, None)
    store.jobs.cancel(first)
    clock.advance(60_000)
    assert len(store.schedules.fire_due(make_job)) == 1
    row = store.schedules.get("report")
    assert (row.skipped_ms, row.skipped_for) == (None, None)


def test_of_missed_ticks_that_must_not_overlap_the_oldest_is_made_up(store: Store, clock) -> None:
    store.schedules.configure([msgspec.structs.replace(SKIPPING, catch_up=CatchUp.ALL)])
    first_ms = clock.wall + 60_000
    clock.advance(180_000)
    (job_id,) = store.schedules.fire_due(make_job)
    assert store.jobs.get(job_id).scheduled_ms == first_ms
    row = store.schedules.get("report")
    assert (row.skipped_ms, row.skipped_for) == (clock.wall, job_id)


def test_jitter_moves_the_time_of_a_job_and_not_its_tick(store: Store, clock) -> None:
    store.schedules.configure(
        [msgspec.structs.replace(MINUTELY, jitter_s=30, catch_up=CatchUp.ALL)]
    )
    clock.advance(50 * 60_000)
    jobs = [store.jobs.get(job_id) for job_id in store.schedules.fire_due(make_job)]
    waits_ms = [job.run_at_ms - clock.wall for job in jobs]
    assert 0 <= min(waits_ms) < 10_000 < 20_000 < max(waits_ms) <= 30_000
    assert {(job.scheduled_ms or 1) % 60_000 for job in jobs} == {0}
    now = store.jobs.get(store.schedules.run_now("report", make_job))
    assert now.run_at_ms == clock.wall


def test_a_backfill_makes_the_jobs_that_are_missing_and_only_once(store: Store, clock) -> None:
    clock.wall -= clock.wall % 3_600_000
    other = msgspec.structs.replace(HOURLY, name="other")
    store.schedules.configure([HOURLY, other])
    clock.advance(3_600_000)
    _, fired = store.schedules.fire_due(make_job)
    store.schedules.backfill("other", clock.wall - 9_000_000, clock.wall, make_job, dry_run=False)
    before, now_ms = store.schedules.get("report"), clock.wall
    span = ("report", now_ms - 3 * 3_600_000, now_ms + 10 * 3_600_000, make_job)
    dry = store.schedules.backfill(*span, dry_run=True)
    assert dry.missing_ms == [now_ms - hours * 3_600_000 for hours in (3, 2, 1)]
    assert (dry.ticks_ms, dry.job_ids) == ([*dry.missing_ms, now_ms], [])
    made = store.schedules.backfill(*span, dry_run=False)
    jobs = [store.jobs.get(job_id) for job_id in made.job_ids]
    assert [job.scheduled_ms for job in jobs] == dry.missing_ms
    assert {job.tags for job in jobs} == {("schedule-report",)}
    assert store.schedules.backfill(*span, dry_run=False).job_ids == []
    assert store.schedules.get("report") == before
    assert before.last_job_id == fired


def test_a_backfill_leaves_ticks_to_the_schedule_that_waits_for_them(store: Store, clock) -> None:
    store.schedules.configure([MINUTELY])
    clock.advance(180_000)  # three ticks are due: catch_up decides about them
    span = ("report", clock.wall - 360_000, clock.wall + 1, make_job)
    ticks_ms = store.schedules.backfill(*span, dry_run=True).ticks_ms
    assert ticks_ms == [clock.wall - minutes * 60_000 for minutes in (6, 5, 4, 3)]
    store.schedules.pause("report")
    clock.advance(120_000)  # nothing is made up for the ticks of a paused schedule
    span = (*span[:2], clock.wall + 600_000, make_job)
    assert len(store.schedules.backfill(*span, dry_run=True).ticks_ms) == 9


def test_a_backfill_of_too_many_ticks_is_refused_at_once(store: Store, clock) -> None:
    store.schedules.put(ScheduleDefinition("tick", "noop", every_s=1))
    with pytest.raises(InvalidJob, match="more than 10,000 ticks"):
        store.schedules.backfill("tick", 0, clock.wall, make_job, dry_run=True)
    most = ("tick", clock.wall - 10_000_000, clock.wall, make_job)
    assert len(store.schedules.backfill(*most, dry_run=True).ticks_ms) == 10_000


def test_a_paused_schedule_sleeps_through_its_ticks(store: Store, another, clock) -> None:
    store.schedules.configure([MINUTELY])
    store.schedules.pause("report")
    clock.advance(300_000)
    restarted = another()
    restarted.schedules.configure([MINUTELY])
    assert restarted.schedules.fire_due(make_job) == []
    restarted.schedules.resume("report")
    assert restarted.schedules.fire_due(make_job) == []
    clock.advance(60_000)
    assert len(restarted.schedules.fire_due(make_job)) == 1


def test_a_pause_names_the_operator_the_reason_and_when(store: Store, clock) -> None:
    hourly = [ScheduleDefinition(name, "noop", every_s=3600) for name in ("a", "b", "c")]
    store.schedules.configure(hourly)
    pause_schedule(store, Actor("cli:ada"), "a", paused=True)
    pause_schedule(store, Actor("cli:ada"), "b", paused=True)
    pause_schedule(store, Actor("cli:ada"), "b", paused=False)
    clock.advance(1000)
    pause_schedule(store, Actor("cli:eve", "holidays"), "a", paused=True)
    pause_queue(store, Actor("cli:bob"), "a", paused=True)  # of the same name
    assert store.schedules.pauses() == {"a": Pause("cli:eve", "holidays", clock.wall)}
    store.schedules.pause("c")  # no operator did it, so the audit log does not say
    assert set(store.schedules.pauses()) == {"a"}


def test_run_now_leaves_the_ticks_alone(store: Store, clock) -> None:
    store.schedules.configure([MINUTELY])
    before = store.schedules.get("report").tick_ms
    job_id = store.schedules.run_now("report", make_job)
    row = store.schedules.get("report")
    assert (row.last_job_id, row.tick_ms) == (job_id, before)


def test_all_missed_ticks_are_made_up_where_asked_for(store: Store, clock) -> None:
    store.schedules.configure([ScheduleDefinition("all", "noop", every_s=60, catch_up=CatchUp.ALL)])
    clock.advance(600_000)
    fired = store.schedules.fire_due(make_job)
    assert len(fired) == 10
    assert store.schedules.fire_due(make_job) == []
    runs = store.schedules.last_runs(store.schedules.all())["all"]
    assert [run.job_id for run in runs] == fired[:-6:-1]


def test_the_last_runs_are_told_apart_by_schedule_and_by_how_they_ended(
    store: Store, clock
) -> None:
    alike = [ScheduleDefinition("x" * 63 + end, "noop", every_s=60) for end in "ab"]
    store.schedules.configure([MINUTELY, *alike])
    clock.advance(60_000)
    store.schedules.fire_due(make_job)
    again = store.schedules.run_now("report", make_job)
    store.jobs.cancel(again)
    rows = store.schedules.all()
    runs = store.schedules.last_runs(rows)
    assert {name: len(some) for name, some in runs.items()} == {
        "report": 2, alike[0].name: 1, alike[1].name: 1,
    }  # fmt: skip
    assert [(one.job_id, one.run.status) for one in runs["report"]] == [
        (again, "cancelled"),
        (runs["report"][1].job_id, "pending"),
    ]
    assert {one.at_ms for some in runs.values() for one in some} == {clock.wall}
    assert store.jobs.get(again).tags == ("schedule-report",)


YEAR_MS = 366 * 86_400_000
EVERY_MINUTE = {
    "cron": MINUTELY,
    "every": ScheduleDefinition("report", "noop", every_s=60),
    "every, all": ScheduleDefinition("report", "noop", every_s=60, catch_up=CatchUp.ALL),
}


@pytest.mark.parametrize("definition", EVERY_MINUTE.values(), ids=EVERY_MINUTE)
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("ahead_ms", [YEAR_MS, 86_400_000])
def test_a_clock_that_was_ahead_for_a_moment_silences_no_schedule(
    store: Store, another, clock, definition: ScheduleDefinition, restarted: bool, ahead_ms: int
) -> None:
    store.schedules.configure([definition])
    assert store.schedules.correct_ticks() == []
    clock.wall += ahead_ms
    assert store.schedules.fire_due(make_job)
    clock.wall -= ahead_ms
    if restarted:
        store = another()
        store.schedules.configure([definition])
    assert store.schedules.correct_ticks() == ["report"]
    assert store.schedules.correct_ticks() == []
    for _ in range(2):
        assert store.schedules.fire_due(make_job) == []
        clock.advance(60_000)
        assert len(store.schedules.fire_due(make_job)) == 1
