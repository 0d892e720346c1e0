"""The panel of workers: actions, exits, a rejected configuration, slots that come and go.

States that are hard to bring about are put into the stream on its way to the page.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.examine import examine
from tests.browser.interception import stop_intercepting
from tests.browser.panel import SYSTEM, Panel, worker
from tests.machine import slowness
from tests.variants import variants

JOB = {
    "id": 12,
    "type": "resize",
    "progress": 0.4,
    "message": "12 of 30",
    "started_at": "2026-01-02T03:04:05.678Z",
}
MARKUP = "<img src=x onerror=\"document.title='owned'\">"
CRASH: dict[str, Any] = {
    "at": "2026-01-02T03:04:05.678Z",
    "reason": "killed by SIGSEGV",
    "signal": "SIGSEGV",
    "code": None,
    "evidence": f"Fatal Python error: Segmentation fault\n  {MARKUP}",
    "uptime_s": 91.2,
    "out_of_memory": None,
    "output": f"step 1\nstep 2 {MARKUP}",
    "jobs": [],
}
OUT_OF_MEMORY = CRASH | {
    "at": "2026-01-02T03:00:00.000Z",
    "reason": "killed by SIGKILL",
    "signal": "SIGKILL",
    "evidence": None,
    "out_of_memory": True,
}
REJECTED = (
    "configuration rejected: orpheus.toml: pools.defualt: unknown key\nand api.port: 0 to 65535"
)
STATES = {
    "draining": "it has done 100 jobs (max_jobs)",
    "backoff": "exited with code 3",
    "fatal": "exited with code 3 (6 failures within 180 s)",
    "stuck": "still there 5 s after SIGKILL",
    "down": "an operator drained it",
}


def test_a_drained_slot_is_started_again_and_has_no_drain(panel: Panel) -> None:
    page = panel.open(worker("default-1", state="down", pid=None), *SYSTEM)
    panel.answer("/workers/default-1/restart", 202, {})
    fold = panel.unfold("default-1")
    expect(fold.locator("[data-action=drain]")).to_have_attribute("aria-disabled", "true")
    fold.locator("[data-action=drain]").click(force=True)
    expect(page.locator("#confirm")).to_be_hidden()
    expect(fold.locator("[data-action=restart]")).to_have_text("Start …")
    fold.locator("[data-action=restart]").click()
    expect(page.locator("#confirm")).to_contain_text("It starts now.")


def test_a_refusal_is_shown_where_it_was_asked_for(panel: Panel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    why = "no supervisor is at work: start one with python -m supervisor"
    panel.answer("/workers/default-1/drain", 503, {"title": "Not now", "detail": why})
    panel.unfold("default-1").locator("[data-action=drain]").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_have_text(why)
    expect(page.locator("#confirm-yes")).to_be_focused()


def test_only_what_can_be_done_is_offered(panel: Panel) -> None:
    panel.open(worker("default-1"), worker("mail@99", "mail"), *SYSTEM)
    expect(panel.unfold("default-1").locator("[data-action]:visible")).to_have_count(3)
    expect(panel.unfold("mail@99").locator("[data-action]:visible")).to_have_count(0)
    expect(panel.unfold("supervisor").locator("[data-action]:visible")).to_have_count(0)
    assert panel.unfold("api").locator("[data-action]:visible").all_inner_texts() == [
        "Restart …",
        "Show its stack",
    ]
    expect(panel.page.locator("#pools form")).to_have_count(1)


def test_a_stack_is_shown_as_text_and_a_silent_process_is_told(panel: Panel) -> None:
    page = panel.open(worker("default-1", job=JOB), worker("default-2"), *SYSTEM)
    stack = {
        "slot": "default-1",
        "pid": 4711,
        "incarnation": "one",
        "job": JOB,
        "at": CRASH["at"],
        "stack": f"Current thread:\n  {MARKUP}",
    }
    panel.answer("/workers/default-1/stack", 200, stack)
    panel.answer("/workers/default-2/stack", 503, {"detail": "it did not answer: it is stopped"})
    fold = panel.unfold("default-1")
    fold.locator("[data-action=stack]").click()
    expect(fold.locator(".stack pre")).to_have_text(stack["stack"])
    expect(fold.locator(".stack a")).to_have_attribute("href", "/ui/jobs/12")
    silent = panel.unfold("default-2")
    silent.locator("[data-action=stack]").click()
    told = re.compile("^No stack of default-2, .+: it did not answer: it is stopped$")
    expect(silent.locator(".problem")).to_have_text(told)
    assert "owned" not in page.title()


def test_exits_are_listed_newest_first_with_evidence_and_memory(panel: Panel) -> None:
    shown = worker("default-1", recent_exits=[CRASH, OUT_OF_MEMORY])
    panel.answer("/workers", 200, {"items": [shown]})
    page = panel.open(worker("default-1", last_exit=CRASH), *SYSTEM)
    exits = panel.unfold("default-1").locator(".exits > li")
    expect(exits).to_have_count(2)
    expect(exits.nth(0)).to_contain_text("after 1 min 31 s: killed by SIGSEGV")
    expect(exits.nth(0).get_by_label("Evidence")).to_have_text(CRASH["evidence"])
    exits.nth(0).get_by_text("last output, 2 lines").click()
    expect(exits.nth(0).get_by_label("Last output")).to_have_text(CRASH["output"])
    expect(exits.nth(1)).to_contain_text("The kernel killed it because memory ran out.")
    exits.nth(0).locator("summary").first.click()
    later = CRASH | {"at": "2026-01-02T04:00:00.000Z", "reason": "exited with code 3", "code": 3}
    panel.workers = [worker("default-1", last_exit=later), *SYSTEM]
    expect(exits).to_have_count(3)
    expect(exits.nth(0)).to_contain_text("exited with code 3")
    expect(exits.nth(1).get_by_label("Evidence")).to_be_hidden()
    expect(exits.nth(1).get_by_label("Last output")).to_be_visible()
    assert "owned" not in page.title()


def test_what_needs_a_person_is_a_list_with_links_and_commands(panel: Panel) -> None:
    concerns: list[dict[str, Any]] = [
        {
            "code": "queue_paused",
            "text": "Queue mail & co is paused, and 12 jobs wait in it.",
            "command": "orpheus resume 'mail & co'",
            "about": {"kind": "queue", "name": "mail & co"},
        },
        {
            "code": "type_failing",
            "text": "300 of 300 jobs of pay failed.",
            "command": "orpheus errors",
            "about": {"kind": "type", "name": "pay"},
        },
        {
            "code": "configuration_rejected",
            "text": "The configuration was rejected.",
            "command": None,
            "about": None,
        },
        {
            "code": "slot",
            "text": "default-1 is degraded.",
            "command": None,
            "about": {"kind": "slot", "name": "default-1"},
        },
    ]
    stats = panel.dashboard.system.client.get("/stats").json()
    stats["verdict"] = {"headline": "4 problems need your attention.", "concerns": concerns}
    panel.answer("/stats", 200, stats)
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#verdict")).to_have_text("4 problems need your attention.")
    links = page.locator("#concerns a")
    expect(links).to_have_text([one["text"] for one in concerns])
    assert [link.get_attribute("href") for link in links.all()] == [
        "/ui/queues#queue-mail%20%26%20co",
        "/ui/jobs?status=failed&type=pay",
        "/ui/configuration",
        "#slot-default-1",
    ]
    expect(page.locator("#slot-default-1")).to_contain_text("default-1")
    expect(page.locator("#concerns code").nth(1)).to_have_text("orpheus errors")
    expect(page).to_have_title(re.compile(r"^\(4\)"))


def test_figures_that_cannot_be_read_are_said_to_be_old(panel: Panel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#verdict")).to_have_text(re.compile(r"\w"))
    expect(page.locator("#stale")).to_be_hidden()
    panel.answer("/stats", 503, {"title": "Busy", "status": 503, "detail": "the database is busy"})
    panel.workers = [worker("default-1", state="draining"), *SYSTEM]  # it is asked for at once
    expect(page.locator("#stale")).to_contain_text("is old, as it cannot be read: ")
    expect(page.locator("#stale")).to_contain_text("the database is busy")
    stop_intercepting(page, "**/stats")  # they are read soon again, although nothing happens
    expect(page.locator("#stale")).to_be_hidden(timeout=12_000 * slowness())


def test_slots_come_and_go_without_moving_the_focus_or_redrawing_others(panel: Panel) -> None:
    page = panel.open(worker("default-1"), worker("default-3"), *SYSTEM)
    panel.row("default-3").locator(".more button").focus()
    page.evaluate("window.kept = document.querySelectorAll('#slots .slot')[1]")
    panel.workers.insert(1, worker("default-2"))
    expect(page.locator("#slots .slot .name b")).to_have_text(
        ["default-1", "default-2", "default-3", "api", "supervisor"]
    )
    expect(panel.row("default-3").locator(".more button")).to_be_focused()
    assert page.evaluate("window.kept === document.querySelectorAll('#slots .slot')[2]")
    points = "window.kept.querySelector('.spark path').getAttribute('d').split('L').length"
    assert page.evaluate(points) > 1
    panel.workers = [worker("default-1"), worker("default-2"), *SYSTEM]
    expect(page.locator("#slots .slot")).to_have_count(4)
    expect(panel.row("api").locator(".more button")).to_be_focused()


@pytest.mark.parametrize("width", variants([360, 1280], 360))
def test_an_unfolded_panel_is_readable_by_everyone(panel: Panel, width: int) -> None:
    panel.page.set_viewport_size({"width": width, "height": 740})
    states = [
        worker(f"default-{i}", state=s, reason=why * 3, last_exit=CRASH)
        for i, (s, why) in enumerate(STATES.items())
    ]
    rejecting = worker("supervisor", None, degraded=True, reason=REJECTED)
    page = panel.open(*states, worker("api", None), rejecting)
    for button in page.locator("#slots .more button").all():
        button.click()
    examine(page)


def test_a_worker_is_restarted_with_the_keyboard_alone(panel: Panel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    calls = panel.answer("/workers/default-1/restart", 202, {})
    page.keyboard.type("gw")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_visible()
    page.locator("#confirm-yes").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(page.locator("#more-default-1 [data-action=restart]")).to_be_focused()
    assert len(calls) == 1


SCALED = {"by": "cli:ada", "reason": "night load", "at": "2020-01-31T12:00:00.000Z"}


def test_a_pool_without_workers_and_a_program_can_be_scaled(panel: Panel) -> None:
    pools = [
        {"host": "host-1", "name": "default", "workers": 1},
        {"host": "host-1", "name": "mail", "workers": 3, "scaled": SCALED},
    ]
    programs = [{"host": "host-1", "name": "web", "workers": None}]
    panel.answer("/workers?pools=true", 200, {"items": [], "pools": pools, "programs": programs})
    web = worker("web-1", "web", role="program")
    page = panel.open(worker("default-1"), web, *SYSTEM)
    forms = page.locator("#pools form")
    expect(forms).to_have_count(3)
    expect(forms.nth(0).locator(".hint").first).to_have_text("1 worker")
    told = (
        r"^0 workers, the configuration says 3: scaled by cli:ada \d+ d \d+ h ago \(night load\)$"
    )
    expect(forms.nth(1).locator(".hint").first).to_have_text(re.compile(told))
    expect(forms.nth(2).locator(".hint").first).to_have_text("1 instance")
    calls = panel.answer("/pools/mail/scale", 202, {"pool": "mail", "workers": 2})
    page.get_by_label("Workers of pool mail").fill("2")
    page.get_by_label("Scale pool mail").click()
    expect(page.locator("#confirm")).to_contain_text("It has 0 workers now.")
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    assert [call.request.post_data_json for call in calls] == [{"workers": 2}]
    page.get_by_label("Instances of program web").fill("0")
    page.get_by_label("Scale program web").click()
    expect(page.locator("#confirm")).to_contain_text("Those that go are asked to stop.")
    page.locator("#confirm [value=no]").click()
    expect(page.get_by_label("Instances of program web")).to_have_value("1")
    panel.workers = [worker("default-1"), *SYSTEM]
    expect(forms.nth(2)).to_contain_text("0 instances")


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
        "jobs": [],
    }


def test_a_silent_worker_and_one_that_has_prefetched_say_so(panel: Panel) -> None:
    panel.open(
        worker("default-1", heartbeat_age_s=12.0, silent=True),
        worker("default-3", heartbeat_age_s=12.0),  # its configuration allows for it
        worker("default-2", job=JOB, jobs_in_progress=2, places=1),
        *SYSTEM,
    )
    state = panel.row("default-1").locator(".state")
    expect(state).to_contain_text("ready, silent")
    expect(state).to_contain_text("no heartbeat for 12 s")
    expect(panel.row("default-1")).to_have_attribute("data-state", "degraded")
    expect(panel.row("default-3")).to_have_attribute("data-state", "ready")
    expect(panel.page.locator("#workers-summary")).to_contain_text("1 silent")
    expect(panel.page.locator("#sentence")).to_contain_text("2 of 3 workers ready, 1 silent")
    expect(panel.row("default-2").locator(".now")).to_contain_text("+ 1 next")
    fold = panel.unfold("default-2")
    expect(fold).to_contain_text("Holds 2 jobs, runs at most 1 at once.")
    fold.locator("[data-action=drain]").click()
    dialog = panel.page.locator("#confirm")
    expect(dialog).to_contain_text("It runs resize 12 and finishes it first")
    expect(dialog).to_contain_text("stays down until it is started, or Orpheus is restarted.")


def test_of_several_hosts_each_has_its_rows_and_its_actions_and_a_lost_one_says_so(
    lasting_dashboard: Any,
) -> None:
    panel = Panel(lasting_dashboard)
    hosts = ("alpha", "beta")
    slots = [{**one, "host": host} for host in hosts for one in (*SYSTEM, worker("default-1"))]
    page = panel.open(*slots)
    rows = page.locator("#slots > :is(.host, .slot)")
    of_one = ["default-1", "api", "supervisor"]
    expect(rows).to_have_text([re.compile(f"^{one}") for host in hosts for one in (host, *of_one)])
    calls = panel.answer("/workers/default-1/restart?host=beta", 202, {})
    panel.row("default-1").nth(1).locator(".more button").click()
    page.locator("[id='more-beta-default-1'] [data-action=restart]").click()
    page.get_by_role("button", name="Restart it").click()
    expect(page.locator("[id='more-beta-default-1']")).to_contain_text("Restart requested")
    assert len(calls) == 1
    scaled = panel.answer("/pools/default/scale?host=alpha", 202, {})
    form = page.locator("form.pool").first
    expect(form).to_contain_text("1 worker on alpha")
    form.get_by_label("Workers of pool default").fill("3")
    form.get_by_label("Scale pool default").click()
    page.get_by_role("button", name="Scale it").click()
    expect(form).to_contain_text("3 workers requested")
    assert len(scaled) == 1
    why = "lost: nothing was heard of beta since 2026-01-31T12:00:00.000Z"
    lost = {
        "state": "down",
        "pid": None,
        "degraded": True,
        "order": "lost",
        "reason": why,
        "why": why,
    }
    panel.workers = [*slots[:3], *({**one, **lost} for one in slots[3:])]
    told = page.locator("#slots > .slot", has_text="lost: nothing was heard of beta")
    expect(told).to_have_count(3)
    expect(page.locator("#slots .host")).to_have_count(2)
    panel.workers = slots
    expect(told).to_have_count(0)
    panel.workers = slots[:3]
    expect(page.locator("#slots .host")).to_have_count(0)
