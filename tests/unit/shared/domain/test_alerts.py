"""When a rule fires, how it counts, what it holds back, and what never fires it."""

from collections.abc import Iterable
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orpheus.shared.domain.alerts import (
    ALERTS_QUEUE,
    AlertCondition,
    AlertRule,
    Decision,
    ErrorDetail,
    Occurrence,
    OpenAlert,
    RuleState,
    Seen,
    Topic,
    changed,
    closed,
    decide,
    is_of,
    next_alert_ms,
    opened,
)
from orpheus.shared.explain.alert_texts import facts

RULE = AlertRule("ops", ("job.failed",), "notify", "{}")
NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000
EVERY_MS = 300_000


def failed(at_ms: int, seq: int = 1, type: str = "resize", queue: str = "media") -> Seen:
    return Seen("job.failed", at_ms, seq, type=type, queue=queue)


def late(queue: str) -> Seen:
    return Seen(AlertCondition.QUEUE_LATE, NOW_MS, subject=queue, about=Topic(f"{queue} is late"))


def test_what_happens_once_fires_once() -> None:
    event = failed(NOW_MS - 5)
    decision = decide(RULE, RuleState(), [event], [], NOW_MS)
    assert decision == Decision(RuleState(fired_ms=NOW_MS), event, fires=True)
    assert not decide(RULE, decision.state, [], [], NOW_MS + 10 * EVERY_MS).fires


def test_a_rule_fires_at_most_once_in_every_and_then_tells_how_many_were_held_back() -> None:
    state = decide(RULE, RuleState(), [failed(NOW_MS)], [], NOW_MS).state
    for second in range(1, 4):
        decision = decide(RULE, state, [failed(NOW_MS + second)], [], NOW_MS + 1000 * second)
        assert not decision.fires
        state = decision.state
    assert state.held_back == 3
    assert next_alert_ms(RULE, state) == NOW_MS + EVERY_MS
    assert not decide(RULE, state, [], [], NOW_MS + EVERY_MS - 1).fires
    last = decide(RULE, state, [], [], NOW_MS + EVERY_MS)
    assert (last.fires, last.held_back, last.state.held_back) == (True, 2, 0)
    assert next_alert_ms(RULE, last.state) is None


def test_many_at_once_are_one_alert() -> None:
    decision = decide(RULE, RuleState(), [failed(NOW_MS)] * 1000, [], NOW_MS)
    assert (decision.fires, decision.held_back) == (True, 999)


def test_a_rule_counts_within_a_window_and_then_anew() -> None:
    rule = replace(RULE, after=3, within_s=60, every_s=1)
    times = [NOW_MS, NOW_MS + 30_000, NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS + 29_999]
    state, fired = RuleState(), []
    for at_ms in (*times, times[-1] + 1):
        decision = decide(rule, state, [failed(at_ms)], [], at_ms)
        state = decision.state
        fired.append(decision.fires)
    # The first is over a minute old when the third comes; the fourth makes three.
    assert fired == [False, False, False, True, False]
    assert state.recent_ms == (times[-1] + 1,)


def test_a_condition_fires_when_it_begins_and_again_after_it_has_ended() -> None:
    rule = replace(RULE, on=(AlertCondition.QUEUE_LATE,), within_s=60, every_s=1)
    first = decide(rule, RuleState(), [], [late("mail")], NOW_MS)
    assert first.fires and first.state.holding == ("queue.late mail",)
    lasting = decide(rule, first.state, [], [late("mail")], NOW_MS + EVERY_MS)
    assert not lasting.fires and lasting.state == first.state
    other = decide(rule, lasting.state, [], [late("mail"), late("media")], NOW_MS + EVERY_MS)
    assert other.fires and other.newest == late("media")
    ended = decide(rule, other.state, [], [late("media")], NOW_MS + 2 * EVERY_MS)
    assert not ended.fires and ended.state.gone_ms == {"queue.late mail": NOW_MS + 2 * EVERY_MS}
    again = decide(rule, ended.state, [], [late("mail"), late("media")], NOW_MS + 3 * EVERY_MS)
    assert again.fires and again.newest == late("mail")


def test_the_end_of_what_an_alert_told_is_told_once_when_all_of_it_has_ended() -> None:
    rule = replace(RULE, on=(AlertCondition.QUEUE_LATE,), within_s=60, every_s=1, resolved=True)
    first = decide(rule, RuleState(), [], [late("a"), late("b")], NOW_MS)
    last = Occurrence("queue.late", NOW_MS, Topic("b is late", queue="b"), "queue.late b")
    state, now_ms = opened(rule, first, last), NOW_MS
    for holding in ([late("a")], [late("a")], []):  # b has ended, and then a is gone for a moment
        now_ms += 2 * MINUTE_MS
        decision = decide(rule, state, [], holding, now_ms)
        assert not decision.fires and decision.over is None
        state = decision.state
    decision = decide(rule, state, [], [late("c")], now_ms + MINUTE_MS)
    assert decision.fires and decision.over is None, "one job at a time"
    decision = decide(rule, decision.state, [], [late("c")], now_ms + MINUTE_MS + 1)
    assert decision.over == OpenAlert(last, ("queue.late a", "queue.late b"))
    state = closed(decision.state, decision.over)
    assert decide(rule, state, [], [late("c")], now_ms + MINUTE_MS + 2).over is None
    found = facts(rule, last, 0, "now", is_over=True)
    assert (found["action"], found["queue"]) == ("resolve", "b")
    assert found["text"] == "ops: resolved: b is late"


TELLS_END = replace(RULE, on=(AlertCondition.QUEUE_LATE,), within_s=60, every_s=1, resolved=True)


def told_by(rule: AlertRule, looks: Iterable[tuple[float, str]]) -> list[str]:
    """What is told when these queues are late at these minutes: `B` of one, `-B` of its end."""
    state, found = RuleState(), []
    for minute, queues in looks:
        now_ms = NOW_MS + round(minute * MINUTE_MS)
        decision = decide(rule, state, [], [late(one) for one in queues], now_ms)
        state = decision.state
        if decision.fires and decision.newest:
            newest, queue = decision.newest, decision.newest.subject
            last = Occurrence(newest.kind, now_ms, Topic(f"at {minute}", queue=queue), newest.name)
            state = opened(rule, decision, last)
            found.append(queue)
        if decision.over:
            state = closed(state, decision.over)
            found.append(f"-{decision.over.told.about.queue}")
    return found


def test_the_end_is_told_once_when_nothing_holds_any_more_of_all_that_was_told_as_one() -> None:
    begun = [(0, "AB"), (1, "A"), (2, "A"), (3, "AB"), (4, "A")]
    assert told_by(TELLS_END, [*begun, (5.1, "A")]) == ["B", "B"], "A goes on"
    assert told_by(TELLS_END, [*begun, (6, ""), (7, ""), (8, "")]) == ["B", "B", "-B"]
    begun = [(0, "AB"), (1, "A"), (2, "A"), (3, "AB"), (4, "B"), (5, "B")]
    assert told_by(TELLS_END, [*begun, (6, ""), (7, ""), (8, "")]) == ["B", "B", "-B"]


def test_the_end_is_told_of_what_began_anew_while_nobody_looked() -> None:
    looks = [(0, "AB"), (1, ""), (6, "B"), (7, ""), (8, ""), (9, "")]
    assert told_by(TELLS_END, looks) == ["B", "B", "-B"]
    twice = replace(TELLS_END, on=(AlertCondition.SCHEDULE_MISSED,), after=2, within_s=3600)
    assert told_by(twice, looks) == ["B", "-B"], "once is no alert, but it goes on"


def test_an_alert_is_open_for_each_that_is_told_and_none_where_no_end_is_to_be_told() -> None:
    looks = [(0, "A"), (1, "AB"), (2, "B"), (3, "B"), (4, ""), (5, ""), (6, "")]
    assert told_by(TELLS_END, looks) == ["A", "B", "-A", "-B"]
    assert told_by(replace(TELLS_END, resolved=False), looks) == ["A", "B"]
    event = decide(RULE, RuleState(), [failed(NOW_MS)], [], NOW_MS)
    last = Occurrence("job.failed", NOW_MS, Topic("it failed", job=1))
    assert opened(replace(RULE, resolved=True), event, last).open == (), "an event has no end"


def test_a_rule_about_late_queues_counts_each_once_whatever_after_says() -> None:
    rule = replace(RULE, on=(AlertCondition.QUEUE_LATE,), after=50, within_s=60)
    assert decide(rule, RuleState(), [], [late("mail")], NOW_MS).fires


def test_a_clock_that_was_set_back_silences_no_rule() -> None:
    state = RuleState(fired_ms=NOW_MS + 365 * 86_400_000)
    assert decide(RULE, state, [failed(NOW_MS)], [], NOW_MS).fires


def test_a_condition_that_is_gone_for_a_moment_has_not_ended() -> None:
    rule = replace(RULE, on=(AlertCondition.QUEUE_LATE,), within_s=60, every_s=1)
    state, now_ms = decide(rule, RuleState(), [], [late("mail")], NOW_MS).state, NOW_MS
    for _ in range(3):
        for holding in ([], [late("mail")]):
            now_ms += MINUTE_MS - 1
            decision = decide(rule, state, [], holding, now_ms)
            assert not decision.fires
            state = decision.state
            assert state.holding == ("queue.late mail",)
    assert state.gone_ms == {}
    state = decide(rule, state, [], [], now_ms).state
    assert decide(rule, state, [], [], now_ms + MINUTE_MS - 1).state == state
    assert decide(rule, state, [], [], now_ms + MINUTE_MS).state.holding == ()


def test_every_condition_that_began_is_named_once_by_the_next_alert() -> None:
    rule = replace(RULE, on=(AlertCondition.QUEUE_LATE,), within_s=60)
    first = decide(rule, RuleState(), [], [late("a"), late("b")], NOW_MS)
    assert first.fires and first.begun == ("queue.late a", "queue.late b")
    held = decide(rule, first.state, [], [late("a"), late("c")], NOW_MS + 1000)
    assert not held.fires and held.state.begun == ("queue.late c",)
    last = decide(rule, held.state, [], [late("d")], NOW_MS + EVERY_MS)
    assert last.fires and last.begun == ("queue.late c", "queue.late d")
    assert last.state.begun == ()


def test_what_a_clock_that_was_ahead_has_counted_is_not_recent() -> None:
    rule = replace(RULE, after=3, within_s=300)
    ahead = [failed(NOW_MS + 19 * 3_600_000 + n) for n in range(2)]
    state = decide(rule, RuleState(), ahead, [], NOW_MS).state
    decision = decide(rule, state, [failed(NOW_MS)], [], NOW_MS)
    assert not decision.fires and decision.state.recent_ms == (NOW_MS,)
    back = [failed(NOW_MS - 1000), failed(NOW_MS - 500)]
    assert decide(rule, decision.state, back, [], NOW_MS).fires, "set back by less than the window"


def test_a_changed_rule_begins_anew_but_keeps_when_it_fired() -> None:
    held = Occurrence("job.failed", NOW_MS, Topic("it failed"))
    state = RuleState((NOW_MS,), ("queue.late mail",), fired_ms=NOW_MS, held_back=3, held=held)
    assert changed(RULE, state) == RuleState(fired_ms=NOW_MS)


def test_a_changed_rule_still_tells_the_end_of_what_it_told_and_is_about() -> None:
    mail, media = (
        OpenAlert(Occurrence(one.kind, NOW_MS, Topic("late", queue=queue), one.name), (one.name,))
        for queue in ("mail", "media")
        for one in [late(queue)]
    )
    state = RuleState(holding=("queue.late mail",), fired_ms=NOW_MS, open=(mail, media))
    both = replace(TELLS_END, every_s=900)
    assert changed(both, state).open == (mail, media)
    assert changed(replace(both, queues=("mail",)), state).open == (mail,)
    assert changed(replace(both, on=(AlertCondition.SCHEDULE_MISSED,)), state).open == ()
    assert changed(replace(both, resolved=False), state).open == ()
    over = decide(both, changed(both, state), [], [late("media")], NOW_MS + 1).over
    assert over == mail


def test_types_and_queues_choose() -> None:
    rule = replace(RULE, types=("resize", "mail"), queues=("media",))
    assert is_of(rule, failed(NOW_MS))
    assert not is_of(rule, failed(NOW_MS, type="other"))
    assert not is_of(rule, failed(NOW_MS, queue="default"))
    assert not is_of(rule, replace(failed(NOW_MS), kind="job.done"))


def test_no_job_of_an_alert_fires_a_rule() -> None:
    assert not is_of(RULE, failed(NOW_MS, queue=ALERTS_QUEUE))
    rule = replace(RULE, queues=(ALERTS_QUEUE,))
    assert not is_of(rule, failed(NOW_MS, queue=ALERTS_QUEUE))


@pytest.mark.parametrize(
    ("error", "told", "text"),
    [
        ("type", "ValueError", "ops: it failed: ValueError"),
        ("message", "ValueError: no such key", "ops: it failed: ValueError: no such key"),
        ("full", "Traceback …", "ops: it failed: ValueError: no such key"),
    ],
)
def test_a_rule_chooses_how_much_of_an_error_it_tells(
    error: ErrorDetail, told: str, text: str
) -> None:
    about = Topic("it failed", job=1, why="ValueError: no such\n key", details="Traceback …")
    last = Occurrence("job.failed", NOW_MS, about)
    found = facts(replace(RULE, error=error), last, 0, "now")
    assert (found["error"], found["text"]) == (told, text)
    assert not {"why", "details"} & found.keys()


@given(
    gaps=st.lists(st.lists(st.integers(0, 400_000), max_size=4), max_size=12),
    after=st.integers(1, 3),
)
def test_however_events_are_cut_into_looks_none_is_counted_twice_or_lost(
    gaps: list[list[int]], after: int
) -> None:
    """The alerts and what they held back are those of one event after the other."""
    rule = replace(RULE, after=after, within_s=1e9)
    state, now_ms, told, looks = RuleState(), NOW_MS, 0, 0
    fired_at = []
    for look in gaps:
        events = []
        for gap in look:
            now_ms += gap
            events.append(failed(now_ms))
        decision = decide(rule, state, events, [], now_ms)
        state = decision.state
        looks += len(look)
        if decision.fires:
            told += 1 + decision.held_back
            fired_at.append(now_ms)
    assert told + state.held_back == len(list(chain(*gaps))) // after
    assert all(later - at >= EVERY_MS for at, later in pairwise(fired_at))
    assert len(state.recent_ms) == looks % after
