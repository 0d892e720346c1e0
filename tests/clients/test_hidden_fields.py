"""A client of any kind sees masks, and finds no job by what is hidden."""

import json
from typing import Any

import pytest

from orpheus.client import JobRequest
from orpheus.shared.domain.hidden import MASK
from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.domain.steps import NewStep, StepKind
from orpheus.shared.errors import InvalidJob
from orpheus.shared.storage import TypeRow
from tests.api.conftest import Running

SECRET = "hush-4711"
PAY = TypeRow("pay", '{"type":"object"}', None, None, None, "", hide="payload.card result.token")


def test_a_client_sees_masks(client: Any, api: Running) -> None:
    api.store.types.replace([PAY])
    submitted = client.submit("pay", {"card": SECRET, "n": 1})
    (lease,) = api.lease()
    fields = json.dumps({"card": SECRET})
    api.store.logs.append(submitted.id, lease.token, 1, [NewLine(1, "info", "paying", fields)])
    result = json.dumps({"token": SECRET})
    assert api.store.steps.keep(lease, NewStep("charge", 0, StepKind.STEP, result, 1))
    api.finish(lease, result)

    ended = client.wait(submitted.id, timeout=10)
    assert (ended.payload, ended.result) == ({"card": MASK, "n": 1}, {"token": MASK})
    seen = [submitted, ended, client.get(submitted.id), *client.jobs()]
    seen += [client.signal("paid", "1", {"card": SECRET}), *client.steps(submitted.id)]
    seen += [*client.logs(submitted.id), *client.events(submitted.id)]
    assert len(seen) > 8
    assert SECRET not in repr(seen)
    assert json.loads(api.store.jobs.get(submitted.id).payload)["card"] == SECRET


def test_a_guess_finds_nothing_and_a_mask_is_no_value(client: Any, api: Running) -> None:
    api.store.types.replace([PAY])
    client.submit("pay", {"card": SECRET, "n": 1})
    for guess in ({"q": SECRET}, {"payload": f"card={SECRET}"}):
        assert list(client.jobs(**guess)) == []
    assert len(list(client.jobs(payload="n=1"))) == 1
    with pytest.raises(InvalidJob, match="is hidden: give its value"):
        client.submit("pay", {"card": MASK})
    with pytest.raises(InvalidJob, match="is hidden: give its value"):
        client.submit_many([JobRequest("pay", {"card": MASK})])
