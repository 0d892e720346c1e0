"""`orpheus signal`, the steps in `orpheus show`, and `orpheus retry --from-step`."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewSignal, NewStep, StepKind, Suspension
from orpheus.shared.storage import Store
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import TIME, WORKER

Orpheus = Callable[..., Any]
APPROVAL = NewStep("yes?", 3, StepKind.SIGNAL, None, 0, "approved", "42")
SHOWN = rf"""STEP    KIND    STATE    AT +TOOK +ATTEMPT  RESULT
charge  step    kept     {TIME}  1\.5 s  1 +{{"id": 7}}
pages   cursor  kept     {TIME}  - +1 +{{"done":3}}
yes\?    signal  waiting  {TIME}  - +1 +for the signal approved of key 42 until {TIME}
"""


@pytest.fixture
def waiting(store: Store) -> Store:
    """Job 1 is a durable function that waits for a signal."""
    store.jobs.submit(NewJob("count"))
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.steps.keep(lease, NewStep("charge", 1, StepKind.STEP, '{"id": 7}', 1500))
    store.steps.keep(lease, NewStep("pages", 2, StepKind.CURSOR, '{"done":3}'))
    wait = Suspension(APPROVAL, delay_ms=60_000)
    store.leases.finish([Finished(lease, Ending.SNOOZED, wait=wait)])
    return store


def test_a_signal_is_sent_once_and_the_first_payload_is_shown(
    orpheus: Orpheus, waiting: Store
) -> None:
    sent = orpheus("signal", "approved", "42", '{"by": "ada"}')
    assert sent == (0, "the signal approved of key 42 is sent\n", "")
    mistyped = orpheus("signal", "aproved", "42")
    assert mistyped.out == "the signal aproved of key 42 is sent; no job waits for it yet\n"
    again = orpheus("signal", "approved", "42")
    assert re.fullmatch(rf'it was sent before, at {TIME}, with {{"by": "ada"}}\n', again.out)
    answer = orpheus("signal", "approved", "42", "--json").json
    assert (answer["payload"], answer["is_new"]) == ({"by": "ada"}, False)
    assert [step.result for step in waiting.steps.of(1)][-1] == '{"by": "ada"}'


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("a b", "42"), "name: must be"),
        (("a", ""), "key: must be"),
        (("a", "b", "{"), "the payload is not valid JSON"),
        (("a", "b", r'"\ud800"'), "payload: has characters"),
    ],
)
def test_a_signal_that_is_not_valid_is_wrong_usage(
    orpheus: Orpheus, words: tuple[str, ...], problem: str
) -> None:
    code, _, err = orpheus("signal", *words)
    assert code == 2 and problem in err


@pytest.mark.usefixtures("waiting")
def test_the_steps_of_a_function_are_shown(orpheus: Orpheus) -> None:
    assert re.search(SHOWN, orpheus("show", "1").out)


def test_a_job_is_retried_from_a_step(orpheus: Orpheus, waiting: Store) -> None:
    waiting.signals.send(NewSignal("approved", "42"))
    (lease,) = waiting.leases.lease(WORKER, ("*",), 1, 30_000)
    failed = Finished(lease, Ending.FAILED_PERMANENTLY, error=JobError("E", "no"))
    waiting.leases.finish([failed])
    refused = orpheus("retry", "1", "--from-step", "ship")
    assert (refused.code, refused.err) == (1, "orpheus: job 1 has kept no step 'ship'\n")
    answer = orpheus("retry", "1", "--from-step", "pages")
    assert answer == (0, "job 1: pending again from the step pages\n", "")
    assert [step.name for step in waiting.steps.of(1)] == ["charge"]
    assert entries_of(waiting, 1)[0].after == "pending, from the step 'pages'"
