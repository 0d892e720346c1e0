"""Which types a caller may see, and what of them."""

from msgspec import UNSET
from msgspec.structs import replace

from orpheus.shared.domain.access import Scope
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.job_types import Crash, JobType, Quarantine, TypeDefaults, seen_types

CRASH = Crash(7, 1, "default-1", 101, time_of(0), "killed by SIGSEGV")
PAY = JobType(
    "pay", {}, TypeDefaults("default", 3, 60.0, UNSET), "",
    Quarantine("pay", time_of(0), "after crashing 5 workers in a row (last: job 7)", [CRASH]),
    1, [],
)  # fmt: skip
MAIL = replace(PAY, name="mail", quarantine=None)


def test_a_caller_sees_its_types_and_not_the_jobs_that_crashed_in_other_queues() -> None:
    assert seen_types([PAY, MAIL], None) == [PAY, MAIL]
    assert seen_types([PAY, MAIL], Scope(types=("m*",))) == [MAIL]
    (pay, _) = seen_types([PAY, MAIL], Scope(("team-a",)))
    assert pay.quarantine is not None
    assert (pay.quarantine.type, pay.quarantine.crashes) == ("pay", [])
    assert "7" not in pay.quarantine.text
