"""The start is over once every slot has been ready, whoever asks and whenever."""

import asyncio
from typing import Any

from msgspec.structs import replace

from orpheus.api.start_watch import StartWatch
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.messages.workers import Worker
from tests.explained import worker


def slot(
    name: str, state: str, restarts: int = 0, pool: str | None = "default", host: str = "host-1"
) -> Worker:
    role = Role.WORKER if pool is not None else Role(name)
    fields = {"host": host, "role": role, "pool": pool, "state": SlotState(state)}
    return worker(name, **fields, restarts=restarts)


def started() -> StartWatch:
    return StartWatch("host-1", supervised=True)


def test_a_slot_that_was_ready_once_is_remembered() -> None:
    watching = started()
    assert watching.look([]) == []
    assert not watching.is_over
    watching.look([slot("default-1", "ready"), slot("default-2", "starting")])
    assert not watching.is_over
    watching.look([slot("default-1", "backoff"), slot("default-2", "ready")])

    assert watching.is_over
    assert watching.look([slot("default-1", "fatal"), slot("default-2", "starting")]) == []


def test_an_api_that_was_restarted_waits_only_for_what_has_not_come_up_yet() -> None:
    api = slot("api", "ready", restarts=1, pool=None)

    assert started().look([api, slot("default-1", "backoff", restarts=3)]) == []
    assert started().look([api, slot("default-1", "starting", restarts=1)]) == []
    assert started().look([api, slot("default-1", "starting")]) == ["default-1"]


def test_slots_of_other_hosts_do_not_count() -> None:
    """They may be dead or drained; and a host without workers is ready by those of others."""
    for state in ("starting", "down", "fatal"):
        other = slot("default-1", state, host="host-2")
        watching = started()
        assert watching.look([slot("default-1", "starting"), other]) == ["default-1"]
        assert watching.look([slot("default-1", "ready"), other]) == []
        assert watching.is_over
    api = slot("api", "ready", pool=None)
    watching = started()
    watching.look([api, slot("default-1", "down", host="host-2")])
    assert not watching.is_over
    watching.look([api, slot("default-1", "ready", host="host-2")])
    assert watching.is_over


def test_the_api_of_another_host_that_was_restarted_tells_nothing_of_this_one() -> None:
    api = slot("api", "ready", restarts=1, pool=None, host="host-2")
    assert started().look([api, slot("default-1", "backoff", restarts=3)]) == ["default-1"]


def test_the_slots_of_this_host_must_be_listed_if_it_has_a_supervisor() -> None:
    other = slot("default-1", "ready", host="host-2")
    for supervised in (True, False):
        watching = StartWatch("host-1", supervised=supervised)
        watching.look([other])
        assert watching.is_over is not supervised


def program(name: str, state: str, last_exit: Any = None) -> Worker:
    return replace(slot(name, state), role=Role.PROGRAM, last_exit=last_exit)


def test_the_start_waits_for_programs_but_for_none_that_fails() -> None:
    ready = slot("default-1", "ready")
    assert started().look([ready, program("web-1", "starting")]) == ["web-1"]
    assert started().look([ready, program("web-1", "down")]) == ["web-1"]
    exited = {"reason": "exit code 1"}
    for state in ("backoff", "fatal", "down", "starting"):
        assert started().look([ready, program("web-1", state, exited)]) == []
    waits = [ready, program("db-1", "fatal", exited), program("web-1", "down")]
    assert started().look(waits) == []


def test_it_looks_though_no_client_asks_until_the_start_is_over() -> None:
    readings = iter([DatabaseBusy("locked"), [slot("default-1", "ready")]])

    class Readers:
        async def read(self, _read: Any) -> Any:
            reading = next(readings)
            if isinstance(reading, Exception):
                raise reading
            return reading

    watching = started()
    asyncio.run(watching.run(Readers(), None))  # type: ignore[arg-type]
    assert watching.is_over
