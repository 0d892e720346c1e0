"""What an alert says, and how its facts come into a payload."""

import pytest

from orpheus.shared.domain.alerts import KINDS, AlertCondition, AlertRule
from orpheus.shared.explain.alert_texts import (
    NAMES,
    about_event,
    filled_in,
    sample_facts,
)

FACTS = {"rule": "ops", "text": "it broke", "count": 3, "job": None, "held_back": 0}


def test_a_failed_job_is_told_with_its_error() -> None:
    error = {"type": "ValueError", "message": "bad\n  path"}
    body = {"type": "resize", "queue": "media", "worker": "default-1", "error": error}
    about = about_event("job.failed", 7, body)
    assert (about.text, about.why) == ("job 7 (resize) failed", "ValueError: bad\n  path")
    assert (about.job, about.type, about.queue, about.worker) == (7, "resize", "media", "default-1")


@pytest.mark.parametrize("kind", sorted(KINDS - {*AlertCondition}))
def test_every_kind_of_event_has_words_even_if_it_has_been_deleted(kind: str) -> None:
    assert about_event(kind, None, {}).text


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_sample_facts(kind: str) -> None:
    (sample,) = sample_facts(AlertRule("ops", (kind,), "notify", "{}"))
    assert sample.keys() | {"alert"} == NAMES
    assert sample["text"]


def test_fields_are_filled_in_wherever_they_stand() -> None:
    payload = {"a": "{rule}: {text}!", "b": [{"c": "{count}"}], "d": 5, "e": "{{text}} {print $1}"}
    assert filled_in(payload, FACTS) == {
        "a": "ops: it broke!",
        "b": [{"c": 3}],
        "d": 5,
        "e": "{text} {print $1}",
    }


def test_a_text_that_is_one_field_becomes_the_fact_itself() -> None:
    assert filled_in("{count}", FACTS) == 3
    assert filled_in("{alert}", FACTS) == FACTS
    assert filled_in("{job}", FACTS) == ""
    assert filled_in("{{count}}", FACTS) == "{count}"
    assert filled_in("job {job}, {count}", FACTS) == "job , 3"


def test_what_a_fact_has_in_braces_is_not_filled_in_again() -> None:
    assert filled_in("{text}", {**FACTS, "text": "{rule}"}) == "{rule}"
