"""The exits of a slot, in its open details."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker


def killed(at: str) -> dict[str, Any]:
    return {
        "at": f"2026-01-02T03:04:{at}Z",
        "reason": "killed by SIGKILL",
        "signal": "SIGKILL",
        "code": None,
        "evidence": None,
        "uptime_s": 1.2,
        "out_of_memory": None,
        "failed": True,
        "output": None,
    }


def test_of_several_exits_between_two_messages_open_details_show_all(
    lasting_dashboard: Any,
) -> None:
    panel = Panel(lasting_dashboard)
    first, *between, latest = (killed(at) for at in ("05.000", "06.000", "07.000", "08.000"))
    panel.answer("/workers", 200, {"items": [worker("default-1", recent_exits=[first])]})
    panel.open(worker("default-1", restarts=1, last_exit=first), *SYSTEM)
    exits = panel.unfold("default-1").locator(".exits > li")
    expect(exits).to_have_count(1)
    now = worker("default-1", recent_exits=[latest, *reversed(between), first])
    panel.answer("/workers", 200, {"items": [now]})
    panel.workers = [worker("default-1", restarts=4, last_exit=latest), *SYSTEM]
    expect(exits).to_have_count(4)
