"""What the configuration writes into the database, and the ticks of its schedules."""

import json

import pytest
from msgspec.structs import replace

from orpheus.config.handovers import for_database
from orpheus.config.load import load_settings
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.rates import KeyRules, Rate
from orpheus.shared.domain.schedules import CatchUp, ScheduleDefinition
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.operations.schedules import fire_schedules
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.storage import Store, TypeRow
from tests.captured_logs import capture_logs
from tests.unit.shared.operations.conftest import Clock

SCHEMA = json.dumps(
    {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
)
HOURLY = ScheduleDefinition("hourly", "sum", every_s=3600, payload='{"n": 1}')

NIGHTLY = (
    '{name="s", cron="0 3 * * *", timezone="Europe/Berlin", type="sum", '
    'payload={n=5}, queue="q", priority=9, catch_up="none"}'
)


@pytest.fixture
def store(store: Store) -> Store:
    """With a job type."""
    store.types.replace([TypeRow("sum", SCHEMA, 7, None, "sums", "")])
    return store


def settings(*schedules: ScheduleDefinition) -> StoredSettings:
    return StoredSettings({}, schedules, JobDefaults(max_retries=3, timeout_s=60.0))


def test_queues_and_schedules_of_the_configuration_are_in_force(store: Store) -> None:
    sets = [
        "queues.mail.max_running=2",
        "queues.mail.rate=100/m",
        "queues.mail.burst=7",
        "queues.mail.max_running_per_key=3",
        "queues.mail.rate_per_key=5/h",
        "queues.old.paused=true",
        f"schedules=[{NIGHTLY}]",
    ]
    write_settings(store, for_database(load_settings(None, sets, {})))
    mail, old = store.queues.all()
    assert (mail.name, mail.max_running, mail.rate) == ("mail", 2, Rate(100, 60, 7))
    assert mail.per_key == KeyRules(3, Rate(5, 3_600, 7))
    assert (old.name, old.paused) == ("old", True)
    [row] = store.schedules.all()
    assert row.definition == ScheduleDefinition(
        "s",
        "sum",
        cron="0 3 * * *",
        timezone="Europe/Berlin",
        payload='{"n": 5}',
        queue="q",
        priority=9,
        catch_up=CatchUp.NONE,
    )


def test_a_schedule_of_a_program_that_the_file_takes_over_is_logged(store: Store) -> None:
    store.schedules.put(replace(HOURLY, every_s=60))
    with capture_logs() as logs:
        write_settings(store, settings(HOURLY))
        write_settings(store, settings(HOURLY))
    assert [(line["event"], line["schedule"]) for line in logs] == [
        ("schedule_taken_over", "hourly")
    ]
    assert store.schedules.get("hourly").definition == HOURLY


def test_without_schedules_there_is_no_next_tick(store: Store) -> None:
    assert fire_schedules(store, settings()) == float("inf")


def test_every_schedule_whose_job_would_be_refused_is_named_and_nothing_written(
    store: Store,
) -> None:
    wrong = (
        HOURLY,
        replace(HOURLY, name="typo", type="smu"),
        replace(HOURLY, name="text", payload='{"n": "x"}'),
    )
    with pytest.raises(ConfigurationError) as refused:
        write_settings(store, settings(*wrong))
    typo, text = str(refused.value).splitlines()
    assert typo == (
        "schedules: 'typo' cannot make its job: "
        "type: no job type is called 'smu'; did you mean 'sum'?"
    )
    assert text.startswith("schedules: 'text' cannot make its job: payload.n: ")
    assert store.schedules.all() == []


def test_what_a_type_hides_in_a_schedule_of_the_file_must_be_hidden_by_the_file(
    store: Store,
) -> None:
    store.types.replace([TypeRow("sum", SCHEMA, 7, None, "sums", "", hide="payload.n")])
    with pytest.raises(ConfigurationError, match=r'add "payload.n" to \[privacy\] hide'):
        write_settings(store, settings(HOURLY))
    write_settings(store, replace(settings(HOURLY), hide=("payload.*",)))
    write_settings(store, settings(replace(HOURLY, payload="{}")))
    assert not store.hidden.rules().everywhere


def test_a_tick_whose_job_is_refused_by_now_passes_and_holds_up_no_other(
    store: Store, clock: Clock
) -> None:
    both = settings(HOURLY, replace(HOURLY, name="plain", payload="{}"))
    write_settings(store, both)
    changed = json.dumps({"type": "object", "properties": {}, "additionalProperties": False})
    store.types.replace([TypeRow("sum", changed, None, None, None, "")])
    clock.now_ms += 1_800_000
    assert fire_schedules(store, both) == 3_600.0
    [job] = store.jobs.page(JobFilter(), 10)
    assert job.payload == "{}"
