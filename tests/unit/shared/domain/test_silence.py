"""Why a leased job does not run whose worker says nothing any more."""

import pytest

from orpheus.shared.domain.silence import Silence
from orpheus.shared.domain.why import Code


@pytest.mark.parametrize(
    ("silence", "code", "text"),
    [
        (Silence(), Code.WORKER_GONE, "is gone, and the job is not taken back yet"),
        (
            Silence(nothing_runs=True),
            Code.WORKER_GONE,
            "is gone: nothing runs; `orpheus` starts it",
        ),
        (
            Silence(8.0, 10.0),
            Code.WORKER_SILENT,
            "has sent no heartbeat for 8 s; after 10 s it is taken for dead",
        ),
        (Silence(42.0, 10.0), Code.WORKER_SILENT, "has sent no heartbeat for 42 s"),
    ],
)
def test_a_leased_job_whose_worker_is_not_heard_does_not_run(
    silence: Silence, code: Code, text: str
) -> None:
    reason = silence.reason("default-2")
    assert (reason.code, reason.by) == (code, "default-2")
    assert reason.text == f"its worker default-2 {text}"
