"""No command prints what is hidden, and `submit` takes no mask for a value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.hidden import MASK
from orpheus.shared.domain.jobs import NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewStep, StepKind, new_signal
from orpheus.shared.storage import Store, TypeRow
from tests.unit.supervisor.cli.conftest import WORKER

Orpheus = Callable[..., Any]
SECRET = "hush-4711"
PAY = TypeRow("pay", '{"type":"object"}', None, None, None, "", hide="payload.card")
PAYLOAD = {"card": SECRET, "user": {"password": SECRET}, "n": 1}


@pytest.fixture
def job(store: Store, tmp_path: Path) -> int:
    """A done job; the configuration hides more than its type does."""
    (tmp_path / "orpheus.toml").write_text(
        '[privacy]\nhide = ["payload.*.password", "result.token"]\n'
    )
    store.types.replace([PAY])
    job_id = store.jobs.submit(NewJob("pay", json.dumps(PAYLOAD))).job.id
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    fields = json.dumps({"password": SECRET})
    store.logs.append(job_id, lease.token, 1, [NewLine(1, "info", "paying", fields)])
    result = json.dumps({"token": SECRET})
    assert store.steps.keep(lease, NewStep("charge", 0, StepKind.STEP, result, 1))
    store.signals.send(new_signal("paid", "1", json.dumps(PAYLOAD)))
    store.leases.finish([Finished(lease, Ending.SUCCEEDED, result=result)])
    return job_id


@pytest.mark.parametrize(
    "command",
    [
        "show 1",
        "show 1 --json",
        "jobs",
        "jobs --json",
        "logs 1",
        "logs 1 --json",
        "config show --json",
        "types --json",
        "audit --json",
        'submit pay {"card":"hush-4711"} --json',
        "cancel 2 --json",
        'signal paid 1 {"card":"hush-4711"}',
        'signal paid 2 {"card":"hush-4711"} --json',
    ],
)
def test_no_command_prints_a_hidden_value(
    orpheus: Orpheus, store: Store, job: int, command: str
) -> None:
    store.jobs.submit(NewJob("pay", json.dumps(PAYLOAD)))
    answer = orpheus(*command.split(" "))
    assert answer.code == 0, answer.err
    assert SECRET not in answer.out + answer.err


def test_a_job_is_shown_with_masks_and_stored_with_its_values(
    orpheus: Orpheus, store: Store, job: int
) -> None:
    shown = orpheus("show", "1", "--json").json
    assert shown["payload"] == {"card": MASK, "user": {"password": MASK}, "n": 1}
    assert shown["result"] == {"token": MASK}
    assert MASK in orpheus("logs", "1").out
    assert orpheus("show", "1").out.count(MASK) == 4
    assert json.loads(store.jobs.get(job).payload) == PAYLOAD


def test_a_guess_finds_no_job(orpheus: Orpheus, job: int) -> None:
    for guess in ("--q=4711", f"--where=card={SECRET}", f"--where=user.password={SECRET}"):
        assert orpheus("jobs", guess, "--json").json["items"] == []
    assert len(orpheus("jobs", "--where=n=1", "--json").json["items"]) == 1


def test_a_mask_is_not_taken_for_the_value(orpheus: Orpheus, job: int) -> None:
    answer = orpheus("submit", "pay", f"card={MASK}")
    assert (answer.code, answer.out) == (1, "")
    assert "is hidden: give its value" in answer.err


def test_a_path_that_hides_nothing_is_a_problem_of_the_configuration(
    orpheus: Orpheus, tmp_path: Path
) -> None:
    (tmp_path / "orpheus.toml").write_text('[privacy]\nhide = ["card", "result"]\n')
    answer = orpheus("config", "check")
    assert answer.code == 78
    assert answer.err.count("must be a path such as payload.card") == 2
