"""What needs a person is told with what to do; what passes by itself is not."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.concerns import (
    MOST_REFUSED,
    About,
    AlertFacts,
    Concern,
    ConcernCode,
    Facts,
    RefusedRows,
    SlotFacts,
    Standstill,
)
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.verdict import verdict
from orpheus.shared.domain.words import duration
from tests.unit.shared.domain.system_facts import MAIL, POOLS, READY, concerns, only, slot


@pytest.mark.parametrize(
    ("slots", "has_jobs", "headline"),
    [
        (READY, True, "All is well."),
        (READY, False, "Ready for the first job."),
        ((slot(state=SlotState.STARTING), slot("api")), True, "Starting up."),
        ((slot(), slot("default-2", SlotState.BACKOFF)), True, "Not every worker is ready."),
        ((slot(), replace(slot("default-2"), ready=False, leaves=True)), True, "All is well."),
        ((slot("api"),), True, "No worker is running."),
    ],
)
def test_what_is_well_or_passes_by_itself_is_said_in_the_headline_only(
    slots: tuple[SlotFacts, ...], has_jobs: bool, headline: str
) -> None:
    found = verdict(Facts(slots, pools=POOLS, has_jobs=has_jobs))
    assert (found.headline, list(found.concerns)) == (headline, [])


def test_the_headline_counts_what_needs_a_person() -> None:
    assert verdict(Facts([])).headline == "One problem needs your attention."
    held = [replace(MAIL, name="a", paused=True), replace(MAIL, name="b")]
    found = verdict(Facts(READY, held, POOLS))
    assert found.headline == "2 problems need your attention."


def test_with_nothing_running_it_is_told_how_to_start() -> None:
    one = only(slots=[])
    assert (one.code, one.command) == (ConcernCode.NOTHING_RUNS, "orpheus")


def test_jobs_that_wait_while_no_worker_is_ready_are_one_concern() -> None:
    slots = [slot(state=SlotState.BACKOFF), slot("api")]
    one = only(slots=slots, queues=[MAIL, replace(MAIL, name="media", waiting=1)])
    assert one.text == "No worker is ready, and 13 jobs wait, the first for 1 min 30 s."
    assert one.command == "orpheus workers", "it says what each slot does"


def test_a_type_that_fails_shows_beside_a_million_others() -> None:
    one = only(ended={"sum": (1_000_000, 2), "payment": (0, 300)})
    times = "300 of the 300 times that they ended in the last 5 to 6 minutes"
    assert one.text == f"Jobs of payment failed {times}."
    assert (one.about, one.command) == (("type", "payment"), "orpheus errors")


def test_a_type_that_only_failed_for_an_hour_is_told_once() -> None:
    text = "Jobs of payment failed all 454 times that they ended in the last hour."
    one = only(ended={"payment": (0, 300)}, failing={"payment": 454})
    assert one == Concern(
        ConcernCode.TYPE_FAILING, text, "orpheus errors", About("type", "payment")
    )
    assert only(failing={"payment": 454}) == one


@pytest.mark.parametrize("ended", [(0, 2), (28, 3), (1000, 99)])
def test_few_failures_or_a_small_share_are_no_concern(ended: tuple[int, int]) -> None:
    assert concerns(ended={"payment": ended}) == []


def test_slots_that_need_a_person_for_the_same_reason_are_one_concern() -> None:
    bad: Any = {"state": SlotState.FATAL, "reason": "exited with code 3"}
    one = only(slots=[*READY, *(slot(f"mail-{n}", **bad) for n in range(1, 6))])
    what = "failed (fatal): exited with code 3."
    assert one.text == f"mail-1, mail-2, mail-3 and 2 more each {what}"
    assert one.command == "orpheus restart mail-1 mail-2 mail-3 mail-4 mail-5"
    elsewhere = [
        slot(f"{name} on {host}", target=f"{name} --host {host}", **bad)
        for name, host in (("mail-1", "eve"), ("mail-1", "ada"), ("mail-2", "eve"))
    ]
    one = only(slots=[*READY, *elsewhere])
    assert one.command == "orpheus restart mail-1 mail-2 --host eve", "a command takes one host"
    alone = only(slots=[*READY, slot("mail-1", **bad)])
    assert alone.text == f"mail-1 {what}"


def test_of_a_program_that_fails_its_output_is_proposed() -> None:
    """It would end the same way if it was started again."""
    web: Any = {"role": Role.PROGRAM, "target": "web-1 --host two"}
    for trouble in ({"state": SlotState.FATAL}, {"failed_exits": 3}):
        one = only(slots=[*READY, slot("web-1", **web, **trouble)])
        assert one.command == "orpheus logs web-1 --host two"
    api = slot("api", role=Role.API, target="api --host two", failed_exits=3)
    assert only(slots=[*READY, api]).command == "orpheus workers api"


def test_what_is_degraded_is_told_with_the_reason() -> None:
    one = only(slots=[*READY, slot("mail-1", degraded=True, reason="lost: nothing was heard")])
    assert one.text == "mail-1 is degraded: lost: nothing was heard."
    two = only(slots=[slot(name, degraded=True, reason="lost") for name in ("mail-1", "mail-2")])
    assert two.text == "mail-1 and mail-2 are each degraded: lost."
    assert one.command is None


def test_a_rejected_configuration_is_told_once_and_first() -> None:
    rejecting = slot("supervisor", degraded=True, reason="line 3: unknown key", rejects=True)
    first, _ = concerns(slots=[slot(), rejecting], ended={"payment": (0, 9)})
    assert first.code is ConcernCode.CONFIGURATION_REJECTED
    assert first.text.endswith("so the one before it is in force: line 3: unknown key")
    assert first.command == "orpheus config check --modules", "it may be a module"


def test_restarts_that_climb_are_told_before_the_slot_is_given_up() -> None:
    restless = slot(failed_exits=3, last_exit="killed by SIGKILL", last_exit_ago_s=236.4)
    one = only(slots=[restless])
    often = "failed 3 times in the last 10 minutes"
    assert one.text == f"default-1 {often}, most recently 3 min 56 s ago: killed by SIGKILL."
    assert concerns(slots=[replace(restless, failed_exits=2)]) == []
    assert one.command == "orpheus workers default-1"
    given_up = replace(restless, state=SlotState.FATAL)
    assert [found.code for found in concerns(slots=[given_up])] == [ConcernCode.SLOT]


@pytest.mark.parametrize(
    ("watched_s", "within"),
    [(None, "10 minutes"), (600.0, "10 minutes"), (598.2, "9 min 59 s"), (244.5, "4 min 5 s")],
)
def test_failures_are_told_with_for_how_long_they_are_counted(
    watched_s: float | None, within: str
) -> None:
    one = only(slots=[slot(failed_exits=17, watched_s=watched_s)])
    assert one.text == f"default-1 failed 17 times in the last {within}."


def test_the_restless_slots_of_each_pool_are_a_concern_with_their_own_latest_cause() -> None:
    slots = [
        slot("api", failed_exits=4, last_exit="killed by SIGKILL", last_exit_ago_s=140.0),
        slot("mail-1", failed_exits=3, last_exit="killed by SIGTERM", last_exit_ago_s=0.4),
        slot("mail-2", failed_exits=3, last_exit="exit code 1", last_exit_ago_s=70.0),
    ]
    mail, api = concerns(slots=slots)
    often = "mail-1 and mail-2 failed 6 times in the last 10 minutes"
    assert mail.text == f"{often}, most recently mail-1 0 s ago: killed by SIGTERM."
    assert mail.about == About("slot", "mail-1")
    often = "api failed 4 times in the last 10 minutes"
    assert api.text == f"{often}, most recently 2 min 20 s ago: killed by SIGKILL."
    assert api.about == About("slot", "api")


def test_of_very_many_restless_pools_those_that_failed_longest_ago_are_one_concern() -> None:
    slots = [
        slot(f"pool{n}-1", failed_exits=3, last_exit=f"exit code {n}", last_exit_ago_s=9.0 - n)
        for n in range(8)
    ]
    found = concerns(slots=slots)
    assert [one.text.split()[0] for one in found[:-1]] == [
        "pool7-1",
        "pool6-1",
        "pool5-1",
        "pool4-1",
    ]
    rest = "pool0-1, pool1-1, pool2-1 and 1 more failed 12 times in the last 10 minutes"
    assert found[-1].text == f"{rest}, most recently pool3-1 6 s ago: exit code 3."


def test_of_more_failures_than_are_kept_the_verdict_says_at_least() -> None:
    one = only(slots=[slot(failed_exits=95), slot("default-2", failed_exits=96)])
    often = "default-1 and default-2 failed at least 191 times in the last 10 minutes"
    assert one.text == f"{often}."
    for failed, times in ((94, "94"), (95, "at least 95")):  # 5 that did not fail are kept, too
        one = only(slots=[slot(failed_exits=failed)])
        assert one.text == f"default-1 failed {times} times in the last 10 minutes."


def test_a_worker_that_falls_silent_is_told_before_it_is_taken_for_dead() -> None:
    one = only(slots=[slot(silent_s=16.0)], silent_after_s=30.0)
    assert one.text == (
        "default-1 has sent no heartbeat for 16 s; after 30 s it is taken for dead."
    )
    assert one.command == "orpheus stack default-1"
    assert concerns(slots=[slot(silent_s=14.0)], silent_after_s=30.0) == []


@pytest.mark.parametrize("silent_s", [16.0, 3_700.0])
def test_a_silent_supervisor_is_told_for_as_long_as_it_is_silent(silent_s: float) -> None:
    slots = [slot("supervisor", silent_s=silent_s), slot(silent_s=17.0)]
    hung, silent = concerns(slots=slots, silent_after_s=30.0)
    assert hung.text == (
        f"The supervisor has sent no heartbeat for {duration(silent_s)}: until it does, nothing is "
        "started, restarted or stopped."
    )
    assert (hung.about, hung.command) == (About("slot", "supervisor"), "orpheus workers supervisor")
    assert silent.text.startswith("default-1 has sent no heartbeat for 17 s;")


def test_a_tick_that_passed_without_a_job_is_told() -> None:
    one = only(late_schedules=[("nightly", 3_700.0)])
    assert one.text == "Schedule nightly should have fired 1 h 1 min ago, and has not."
    assert one.about == ("schedule", "nightly")


def test_jobs_that_only_a_host_that_is_gone_can_run_are_told_of_by_type() -> None:
    (found,) = concerns(awaiting_gone_hosts=["resize"])
    assert found == Concern(
        ConcernCode.TYPE_AWAITS_HOST,
        "Jobs of type resize wait for code that only a host has which is gone: start it, or deploy "
        "that code to another.",
        "orpheus jobs --type resize --status pending",
        About("type", "resize"),
    )


def test_refused_rows_are_told_of_by_outbox_with_what_to_do() -> None:
    shop, bank, many = concerns(
        refused_rows={
            "shop": RefusedRows(2, "4", "payload.n: is required"),
            "bank": RefusedRows(1, "a-7", "type: no job type is called 'x'."),
            "many": RefusedRows(MOST_REFUSED, "1", "why …"),
        }
    )
    assert shop == Concern(
        ConcernCode.OUTBOX_ROWS_REFUSED,
        "Outbox shop: 2 rows were refused, the first, with id 4: payload.n: is required. Correct "
        "them and set refused_at to NULL, or delete them.",
        None,
        About("outbox", "shop"),
    )
    assert bank.text == (
        "Outbox bank: a row was refused, with id a-7: type: no job type is called 'x'. Correct it "
        "and set refused_at to NULL, or delete it."
    )
    assert many.text == (
        "Outbox many: at least 1,000 rows were refused, the first, with id 1: why … Correct them "
        "and set refused_at to NULL, or delete them."
    )


def test_a_rule_whose_alerts_reach_nobody_is_told_with_the_reason() -> None:
    away = AlertFacts("ops", 3_700.0, job_id=7, reason="CallFailed: chat.example: timed out")
    one = only(undelivered=[away])
    told = "for 1 h 1 min: CallFailed: chat.example: timed out."
    assert one.text == f"An alert of rule ops has not been delivered {told}"
    assert (one.command, one.about) == ("orpheus show 7", About("alert", "ops"))
    several = only(undelivered=[replace(away, alerts=12)])
    assert several.text == f"12 alerts of rule ops have not been delivered, the first {told}"
    refused = only(undelivered=[AlertFacts("ops", 90.0)])
    assert refused.text.startswith("An alert of rule ops has been due for 1 min 30 s, but no job:")


def test_that_alerts_reach_nobody_is_told_before_what_they_would_tell_of() -> None:
    fatal = slot("mail-1", SlotState.FATAL)
    found = concerns(
        slots=[*READY, fatal],
        queues=[MAIL],
        ended={"payment": (0, 9)},
        undelivered=[AlertFacts("ops", 90.0, job_id=7, has_failed=True, reason="KeyError")],
    )
    first, second = [one.code for one in found][:2]
    assert (first, second) == (ConcernCode.ALERT_UNDELIVERED, ConcernCode.SLOT)


def test_an_alert_that_is_still_tried_is_a_concern_only_after_some_time() -> None:
    tried = AlertFacts("ops", 59.0, job_id=7, reason="CallFailed: chat.example: timed out")
    assert concerns(undelivered=[tried]) == []
    assert only(undelivered=[replace(tried, since_s=60.0)]).code == "alert_undelivered"
    assert only(undelivered=[replace(tried, has_failed=True)]).code == "alert_undelivered"


def test_that_orpheus_is_stopping_is_told_before_what_comes_of_it() -> None:
    stopping = slot("supervisor", SlotState.STOPPING, reason="SIGTERM")
    first, *others = concerns(slots=[slot(state=SlotState.DOWN), stopping], queues=[MAIL])
    assert (first.code, first.command) == (ConcernCode.STOPPING, None)
    assert first.text == "Orpheus is stopping (SIGTERM): nothing is started or restarted any more."
    assert ConcernCode.NO_WORKER_READY not in [one.code for one in others]


@pytest.mark.parametrize(
    ("left_s", "ends"),
    [
        (288.4, "it ends within 4 min 48 s"),
        (0.2, "it ends now"),
        (-0.4, "it ends now"),
        (-12.0, "it should have ended 12 s ago"),
    ],
)
def test_that_orpheus_is_stopping_says_until_when_at_the_latest(left_s: float, ends: str) -> None:
    stopping = slot("supervisor", SlotState.STOPPING, reason="SIGTERM", left_s=left_s)
    rest = "and nothing is started or restarted any more."
    assert concerns(slots=[stopping])[0].text == f"Orpheus is stopping (SIGTERM): {ends}, {rest}"


def test_that_no_worker_is_ready_is_told_while_not_every_host_is_stopping() -> None:
    going_on, stopping = slot("supervisor"), slot("supervisor", SlotState.STOPPING)
    down = slot(state=SlotState.DOWN)
    told = [one.code for one in concerns(slots=[stopping, going_on, down], queues=[MAIL])]
    assert told[:2] == [ConcernCode.STOPPING, ConcernCode.NO_WORKER_READY]
    told = [one.code for one in concerns(slots=[stopping, stopping, down], queues=[MAIL])]
    assert ConcernCode.NO_WORKER_READY not in told


def test_of_several_hosts_the_one_that_is_stopping_is_named() -> None:
    stopping = slot("supervisor", SlotState.STOPPING, reason="SIGINT")
    first, *_ = concerns(slots=[*READY, replace(stopping, name="supervisor on ada")])
    assert first.text.startswith("The supervisor on ada is stopping (SIGINT): nothing")


def test_what_keeps_everybody_from_writing_is_told_before_what_comes_of_it() -> None:
    full = Standstill(None, None, why="no space is left on the device that holds /srv/orpheus.db")
    first, second = concerns(standstill=full, free_bytes=0, database="/srv/orpheus.db")
    assert (first.code, first.command) == (ConcernCode.NO_WRITES, None)
    assert first.text == (
        "Nothing can be written: no space is left on the device that holds /srv/orpheus.db. "
        "No job starts or ends, and each process is shown as it was before."
    )
    assert second.code is ConcernCode.LITTLE_SPACE


def test_little_space_and_a_large_log_are_told() -> None:
    path = "/var/lib/orpheus.db"
    little, large = concerns(free_bytes=200_000_000, log_bytes=600 * 2**20, database=path)
    assert little.text == "Only 200 MB are free where /var/lib/orpheus.db is."
    assert "600 MiB" in large.text
    assert concerns(free_bytes=300_000_000, log_bytes=500 * 2**20) == []


def test_rows_that_expire_faster_than_they_are_deleted_are_told() -> None:
    (late,) = concerns(retention_lag_s=720.0)
    assert late.code is ConcernCode.RETENTION_LATE
    assert late.text == (
        "Jobs and events expire faster than they are deleted: the oldest should have gone "
        "12 min ago."
    )
    assert concerns(retention_lag_s=59.0) == []


def test_restless_and_silent_slots_are_one_concern_each() -> None:
    slots = [
        slot(f"default-{n}", failed_exits=3, last_exit="killed by SIGSEGV", silent_s=15.0 + n / 2)
        for n in range(1, 17)
    ]
    restless, silent = concerns(slots=slots, silent_after_s=30.0)
    names = "default-1, default-2, default-3 and 13 more"
    assert restless.text.startswith(f"{names} failed 48 times in the last 10 minutes")
    assert silent.text == (
        f"{names} have sent no heartbeat for 23 s; after 30 s they are taken for dead."
    )


@pytest.mark.parametrize(
    ("name", "command"), [("api", "stack api"), ("supervisor", "workers supervisor")]
)
def test_a_silent_process_is_looked_at_by_a_command_that_it_answers(
    name: str, command: str
) -> None:
    assert only(slots=[slot(), slot(name, silent_s=20.0)]).command == f"orpheus {command}"


def test_workers_that_are_silent_are_not_ready_and_no_more_of_them_are_proposed() -> None:
    """Their supervisor hangs, so that nobody takes them for dead."""
    slots = [slot("supervisor", silent_s=90.0), slot(silent_s=90.0)]
    nobody, *silent = concerns(slots=slots, queues=[MAIL])
    assert nobody.text == "No worker is ready, and 12 jobs wait, the first for 1 min 30 s."
    assert [one.code for one in silent] == [ConcernCode.SILENT] * 2
