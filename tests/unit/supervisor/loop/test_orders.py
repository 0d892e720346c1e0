"""Which requests of operators are carried out, and what each turn does."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.supervisor.loop.orders import Orders
from orpheus.supervisor.plan.reload import Reloaded
from orpheus.supervisor.policy.slot import Desired, Slot


@pytest.mark.parametrize("action", [RequestAction.RESTART, RequestAction.DRAIN])
def test_the_key_of_a_companion_is_no_slot(action: RequestAction) -> None:
    """A replacement `api+` must not be taken for the slot `api`."""
    api = Slot("api", None, Role.API, state=SlotState.READY)
    before = {"api": api, "api+": Slot("api", None, Role.API, state=SlotState.BACKOFF)}
    loop = SimpleNamespace(slots=dict(before), is_stopping=False, listen=lambda *_: None)
    request = Request(1, action, "host-1", "api+")
    source = SimpleNamespace(fileno=lambda: 0, take_requests=lambda: [request])
    unused = cast("Any", source)
    orders = Orders(cast("Any", loop), unused, unused, unused, unused, unused, unused, unused)
    orders._answer_requests()
    assert loop.slots == before
    assert loop.slots["api"].desired is Desired.UP


def test_an_outbox_without_a_thread_is_tried_again_in_each_turn() -> None:
    turns: list[bool] = []
    nothing = SimpleNamespace(
        fileno=lambda: 0,
        listen=lambda *_: None,
        slots={},
        is_stopping=False,
        listener=None,
        take=list,
        turn=lambda: turns.append(True),
    )
    orders = Orders(*[cast("Any", nothing)] * 9)
    orders._take_configuration()
    assert turns == [True]


SETTINGS = cast("Any", SimpleNamespace(source=None))
RELOADED = Reloaded("SIGHUP", SETTINGS, None, "v1", (), (), replace_all=False, edit=None)


@pytest.mark.parametrize(
    ("build", "changed", "told"),
    [
        ("v1", [], ""),
        ("v2", [], ", the code of the jobs changed"),
        ("v1", ["pools.a.max_jobs"], ", pools.a.max_jobs changed"),
        ("v1", ["pools.a.max_jobs", "queues.mail.rate"], ", the configuration changed"),
        ("v2", ["queues.mail.rate"], ", the code of the jobs and the configuration changed"),
    ],
)
def test_a_reload_names_a_setting_only_if_it_alone_has_changed(
    build: str, changed: list[str], told: str
) -> None:
    """Of several, most slots are not concerned by each."""
    _, adopted = reload(replace(RELOADED, build=build, shown_changes=tuple(changed)))
    assert adopted == f"reload (SIGHUP){told}"


def test_what_was_told_to_replace_everything_names_no_setting_for_it() -> None:
    changed = ("queues.mail.rate",)
    slots, _ = reload(replace(RELOADED, why="SIGUSR2", shown_changes=changed, replace_all=True))
    assert slots["a-1"].why_replaced == "reload (SIGUSR2)"


def reload(new: Reloaded) -> tuple[dict[str, Slot], str]:
    """Return the slots as a reload leaves them, and what it tells those with other settings."""
    told: list[str] = []
    do_nothing = lambda *_: None  # noqa: E731
    slots = {"a-1": Slot("a-1", "a", Role.WORKER, state=SlotState.READY)}
    loop = SimpleNamespace(slots=slots, listen=do_nothing, adopt=lambda _, why: told.append(why))
    calls = dict.fromkeys(("adopt", "plan", "duties", "outboxes", "record"), do_nothing)
    rest = cast("Any", SimpleNamespace(build="v1", fileno=lambda: 0, **calls))
    Orders(cast("Any", loop), *[rest] * 8)._adopt(new)
    return loop.slots, told[0]
