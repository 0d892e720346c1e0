"""The rules that each `[[alerts]]` entry must keep, and the job that it stands for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.handovers import for_database
from orpheus.config.settings import Settings
from orpheus.shared.domain.alerts import AlertRule

Load = Callable[..., Settings]
Toml = Callable[[str], Path]

WEBHOOK = "webhook = 'https://chat.example/hooks/T0K3N'\n"
ALERT = "[[alerts]]\nname = 'ops'\n"
FAILED = "on = ['job.failed']\n"


def test_an_alert_has_the_documented_defaults(load: Load, toml: Toml) -> None:
    settings = load(toml(ALERT + FAILED + WEBHOOK))
    assert for_database(settings).alerts == (
        AlertRule(
            "ops",
            ("job.failed",),
            "webhook",
            json.dumps({"url": "https://chat.example/hooks/T0K3N", "body": "{alert}"}),
        ),
    )


def test_a_job_of_any_type_is_told_the_text_unless_a_payload_says_otherwise(
    load: Load, toml: Toml
) -> None:
    text = ALERT + FAILED + "type = 'mail'\n"
    (rule,) = for_database(load(toml(text))).alerts
    assert (rule.type, json.loads(rule.payload)) == ("mail", {"text": "{text}"})
    (rule,) = for_database(load(toml(text + "payload = { n = '{count}' }"))).alerts
    assert json.loads(rule.payload) == {"n": "{count}"}
    (rule,) = for_database(load(toml(text + "payload = {}"))).alerts
    assert json.loads(rule.payload) == {}


LATE = "on = ['queue.late']\n" + WEBHOOK


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("on = []\n" + WEBHOOK, "alerts.ops.on: must not be empty"),
        ("on = ['job.faild']\n" + WEBHOOK, "'job.faild'; did you mean 'job.failed'?"),
        (FAILED, "alerts.ops: needs either type (a job type, with its payload) or webhook (a URL)"),
        (FAILED + WEBHOOK + "resolved = true", "alerts.ops.resolved: only what lasts can end"),
        (FAILED + WEBHOOK + "payload = { a = 1 }", "alerts.ops.payload: belongs to type"),
        (FAILED + "type = 'm'\npayload = { a = '{txt}' }", "no field {txt}: one of action, alert"),
        (FAILED + "webhook = 'ftp://T0K3N/'", 'webhook: must be "https://HOST/PATH"'),
        (FAILED + "webhook = 'https://u:T0K3N@h/'", "webhook: must have no user and password"),
        (FAILED + WEBHOOK + "after = 3", "alerts.ops.within: is needed to count 3"),
        (FAILED + WEBHOOK + "queues = ['alerts']", "'alerts' is the queue of the alerts"),
        (LATE, "alerts.ops.within: is needed by queue.late: how long a due job may wait"),
        ("on = ['queue.late', 'job.failed']\nwithin = 60\n" + WEBHOOK, "on: queue.late"),
        (LATE + "within = 60\ntypes = ['a']", "types: queue.late has no job type to choose by"),
        (
            "on = ['job.failed', 'worker.fatal']\ntypes = ['a']\n" + WEBHOOK,
            "alerts.ops.types: worker.fatal has no job type to choose by: give it a rule",
        ),
        (
            "on = ['schedule.missed']\nqueues = ['a']\n" + WEBHOOK,
            "alerts.ops.queues: schedule.missed has no queue to choose by",
        ),
        (FAILED + WEBHOOK + ALERT + FAILED + WEBHOOK, "alerts.ops.name: 'ops' is the name of an"),
    ],
)  # fmt: skip
def test_an_alert_that_cannot_fire_or_be_sent_is_refused(
    rest: str, problem: str, problems: Callable[..., list[str]], toml: Toml
) -> None:
    (found,) = problems(toml(ALERT + rest))
    assert problem in found
    assert "T0K3N" not in found


@pytest.mark.parametrize(
    "rest",
    [
        "on = ['schedule.missed']\ntypes = ['report']\n",
        "on = ['type.quarantined', 'job.failed']\ntypes = ['report']\n",
        "on = ['queue.late', ]\nwithin = '10m'\nqueues = ['mail']\nafter = 100\n",
        "on = ['supervisor.degraded', 'worker.fatal', 'config.rejected']\n",
        "on = ['queue.paused', 'job.failed']\nqueues = ['mail']\n",
    ],
)
def test_kinds_that_have_what_is_chosen_by_may_be_together(
    rest: str, load: Load, toml: Toml
) -> None:
    assert len(load(toml(ALERT + rest + WEBHOOK)).alerts) == 1


def test_somebody_must_run_the_jobs_of_alerts(
    problems: Callable[..., list[str]], load: Load, toml: Toml
) -> None:
    text = ALERT + FAILED + WEBHOOK + "[pools.default]\nqueues = ['mail']\n"
    (found,) = problems(toml(text))
    assert "alerts.ops: no pool serves the queue 'alerts': add it to the queues of a pool" in found
    load(toml(text + "[pools.other]\nqueues = ['alerts']\n"))
