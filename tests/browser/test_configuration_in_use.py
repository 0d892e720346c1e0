"""The configuration page while others change the file, and with many tables and versions."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from orpheus.shared.operations.configuration import MASK
from tests.browser.configuration_page import (
    LIMIT,
    TEXT,
    opened,
    rewrite,
    save,
    save_by_hand,
    told_without_what_was_read,
)
from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.machine import wait_until
from tests.variants import variants


def test_nothing_can_be_typed_before_the_file_is_read_which_would_take_its_place(
    shared: Dashboard,
) -> None:
    page = shared.page
    asked: list[Route] = []
    intercept(page, "**/config", asked.append)  # it waits for its answer
    page.goto(f"{shared.system.url}/ui/configuration")
    text = page.locator("#text")
    wait_until(lambda: page.title() and asked, "the page to read the file")
    expect(text).not_to_be_editable()
    stop_intercepting(page, "**/config")
    expect(text).to_be_editable()


@pytest.mark.parametrize("lost_reads", variants([0, 1], 1))
def test_a_save_whose_answer_was_lost_is_told_as_mine(
    shared: Dashboard, shared_path: Path, lost_reads: int
) -> None:
    page = opened(shared)
    rewrite(page, *LIMIT)
    expect(page.locator("#save")).to_be_enabled()
    left: list[int] = []

    def lose_answers(route: Route) -> None:
        if route.request.method == "PUT":
            left.extend(range(lost_reads))
            route.fetch()
            route.abort()
        elif left:
            left.pop()
            route.abort()
        else:
            route.continue_()

    intercept(page, "**/config", lose_answers)
    page.locator("#save").click()
    expect(page.locator("#became")).to_contain_text("In force. Changed: queues.letters")
    expect(page.locator("#changed-elsewhere")).to_be_hidden()
    expect(page.locator("#elsewhere")).to_be_hidden()
    expect(page.locator("#planned")).to_be_hidden()
    assert LIMIT[1] in shared_path.read_text()
    stop_intercepting(page, "**/config")


def test_a_save_that_did_not_reach_the_api_is_saved_by_pressing_again(shared: Dashboard) -> None:
    page = opened(shared)
    rewrite(page, *LIMIT)
    expect(page.locator("#save")).to_be_enabled()
    intercept(page, "**/config", lambda route: route.abort())
    page.locator("#save").click()
    expect(page.locator("#problem")).to_contain_text("does not answer")
    stop_intercepting(page, "**/config")
    rewrite(page, "max_running = 3", "max_running = 4")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    expect(page.locator("#became")).to_contain_text("In force. Changed: queues.letters")
    expect(page.locator("#elsewhere")).to_be_hidden()


def test_a_rejected_file_is_told_at_the_top_of_the_page_and_a_mistyped_key_is_mended(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    shared_path.write_text("[pools.default]\nworkers = 'many'\n", encoding="utf-8")
    expect(page.locator("#rejected")).to_contain_text("pools.default.workers")
    expect(page.locator("#became")).to_have_text("")
    expect(page.locator("#gutter .wrong")).to_have_text("2")
    shared_path.write_text(TEXT + "[jobs]\nmax_retires = 4\n", encoding="utf-8")
    expect(page.locator("#problems")).to_contain_text("did you mean jobs.max_retries?")
    rewrite(page, "max_retires = 4", "max_retries = 4")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    assert shared_path.read_text() == TEXT + "[jobs]\nmax_retries = 4\n"


def test_a_setting_that_an_operator_has_overruled_says_so_beside_it(
    shared: Dashboard, shared_path: Path
) -> None:
    text = "[queues.held]\npaused = true\n[queues.mail]\nmax_running = 2\n"
    shared_path.write_text(text, encoding="utf-8")
    page = opened(shared)
    setting = page.locator("#settings tr").filter(has_text="queues.held.paused")
    expect(setting.locator("small")).to_have_count(0)
    for action in ("held/resume", "mail/pause"):
        assert shared.system.client.post(f"/queues/{action}").status_code == 200
    by_hand = "which counts more than the file."
    try:
        page.reload()
        expect(setting.locator("small")).to_have_text(
            f"Queue held stays open: an operator has resumed it, {by_hand}"
        )
        other = page.locator("#settings tr").filter(has_text="queues.mail.paused")
        expect(other.locator("small")).to_have_text(
            f"Queue mail stays paused: an operator has paused it, {by_hand}"
        )
        expect(other.locator(".own")).to_have_text("default")  # it has a row all the same
    finally:
        shared.system.client.post("/queues/mail/resume")


def test_what_became_of_the_last_save_is_not_told_below_the_next_change(
    shared: Dashboard,
) -> None:
    page = opened(shared)
    became = page.locator("#became")
    rewrite(page, "# few", "# some")
    save(page)
    expect(became).to_have_text("In force. No setting changed.")
    rewrite(page, "# some", "# many")
    expect(page.locator("#save")).to_be_enabled()
    expect(became).to_have_text("")
    save(page)
    expect(became).to_have_text("In force. No setting changed.")
    page.locator("#versions button").first.click()
    expect(page.locator("#save")).to_have_text(re.compile(r"^Go back to version \d+$"))
    expect(became).to_have_text("")


def test_nothing_of_an_earlier_check_stands_below_not_checked(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#effects")).to_contain_text("pools.default.workers")
    shared_path.write_text(TEXT + "# theirs\n", encoding="utf-8")
    expect(page.locator("#verdict")).to_have_text("Not checked, because the file has changed.")
    expect(page.locator("#effects")).to_have_text("")
    expect(page.locator("#diff")).to_be_hidden()
    page.locator("#text").press("End")
    page.keyboard.type("# more")
    expect(page.locator("#diff")).to_be_hidden()
    page.locator("#keep").click()
    expect(page.locator("#effects")).to_contain_text("pools.default.workers")
    expect(page.locator("#diff")).to_contain_text("- # theirs")


def test_a_file_that_is_not_toml_is_told_once_with_the_way_out_and_nothing_to_edit(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    version = shared.system.get("/config")["in_force"]["version"]
    told_without_what_was_read(page, shared_path)
    page.reload()
    expect(page.locator("#rejected")).to_contain_text("own.toml:2:")
    expect(page.locator("#obstacle")).to_contain_text(
        f"change it on the machine, or go back to version {version}, which is in force"
    )
    for gone in ("#text", "#gutter", "#undo", "#problems li"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#verdict")).to_have_text("")
    assert page.locator("main").inner_text().count("own.toml:2:") == 1
    assert "Edit the text" not in page.locator("main").inner_text()
    page.locator(f"#version-{version}-back").click()
    expect(page.locator("#save")).to_be_enabled()
    expect(page.locator("#text")).to_have_value(TEXT.replace("hush", MASK))
    expect(page.locator("#diff")).to_be_hidden()  # there is nothing to compare it with
    page.locator("#undo").click()
    expect(page.locator("#text")).to_be_hidden()
    expect(page.locator("#planned")).to_be_hidden()
    expect(page.locator("#obstacle")).to_contain_text("is not TOML")
    expect(page.locator("#in-force")).to_contain_text("not valid, so it was not taken")
    expect(page.locator("#in-force")).to_contain_text(f"version {version}, since")
    row = page.locator("#settings tr", has_text="pools.default.workers")
    expect(row.locator("td").first).to_have_text("1")
    page.locator(f"#version-{version}-back").click()
    expect(page.locator("#save")).to_be_enabled()
    page.locator("#save").click()
    expect(page.locator("#rejected")).to_be_hidden()
    expect(page.locator("#versions li", has_text="not TOML")).to_have_count(1)
    assert shared_path.read_text() == TEXT


def test_a_change_of_one_of_several_tables_names_it_there_and_in_the_audit_log(
    shared: Dashboard,
) -> None:
    page = opened(shared)
    made = "\n".join(
        f'[[schedules]]\nname = "{name}"\ntype = "pay"\nevery = "1h"'
        for name in ("often", "seldom")
    )
    page.locator("#text").fill(page.locator("#text").input_value() + made)
    expect(page.locator("#effects")).to_contain_text("changes schedules: often, schedules: seldom")
    rewrite(page, made, made.split("\n[[", maxsplit=1)[0])
    expect(page.locator("#effects")).to_contain_text("changes schedules: often")
    expect(page.locator("#effects")).not_to_contain_text("seldom")
    save(page)
    expect(page.locator("#became")).to_have_text("In force. Changed: schedules: often.")
    page.goto(shared.system.url + "/ui/audit")
    change = page.locator("#rows tr").first.locator(".change")
    expect(change.locator("small")).to_have_text("schedules: often")


def test_what_an_editor_saves_is_a_version_and_going_back_asks_before_typed_text_is_lost(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    versions = page.locator("#versions li").count()
    own = page.get_by_role("button", name="own.toml:2")
    own.focus()
    shared_path.write_text(TEXT + "# by hand\n", encoding="utf-8")
    expect(page.locator("#versions li")).to_have_count(versions + 1)
    expect(own).to_be_focused()
    newest = page.locator("#versions li").first
    expect(newest).to_contain_text("edited on the machine")
    expect(newest).to_contain_text("in the file, in force")
    newest.locator("summary").press("Enter")
    expect(newest.locator(".added")).to_have_text("+ # by hand")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", stay)
    rewrite(page, "# few", "# mine")
    back = page.locator("#versions button").first
    name = back.inner_text()
    back.click()
    assert asked == [f"{name}? The text that you have not saved would be lost."]
    assert "# mine" in page.locator("#text").input_value()
    expect(page.locator("#save")).to_have_text("Save the file")
    page.remove_listener("dialog", stay)
    page.once("dialog", lambda dialog: dialog.accept())
    back.click()
    expect(page.locator("#save")).to_have_text(name)
    title = page.locator("#file-title")
    expect(title).to_have_text(f"{name.removeprefix('Go back to ').capitalize()} of the file")
    page.locator(
        "#versions button:visible"
    ).last.click()  # nothing was typed since, so nobody is asked
    expect(page.locator("#text")).not_to_have_value(re.compile("# mine"))
    expect(page.locator("#save")).not_to_have_text("Save the file")
    page.locator("#undo").click()
    expect(title).to_have_text("The file")


def test_older_versions_are_asked_for_and_an_open_one_keeps_its_button_in_its_row(
    shared: Dashboard,
) -> None:
    whole = {"at": "2026-01-31T12:08:00.123Z", "by": "file", "reason": None}
    items = [
        {"version": n, "text": f"# {n}\n" * 9, "in_file": n == 7, "in_force": n == 7, **whole}
        for n in range(7, 0, -1)
    ]
    intercept(shared.page, "**/config/versions", lambda route: route.fulfill(json={"items": items}))
    page = opened(shared)
    assert page.locator("#versions li:visible").count() == 5
    second = page.locator("#versions li").nth(1)
    second.locator("summary").click()
    expect(second.locator(".added")).to_have_count(9)
    top = "one => one.getBoundingClientRect().top"
    button = second.get_by_role("button")
    assert abs(button.evaluate(top) - second.locator("summary").evaluate(top)) < 8
    more = page.locator("#more-versions")
    expect(more).to_have_text("show 2 older versions")
    more.press("Enter")
    expect(more).to_be_hidden()
    expect(page.locator("#versions li").nth(5).locator("summary")).to_be_focused()


def test_a_version_is_compared_with_the_newest_before_it_that_can_be_shown(
    shared: Dashboard,
) -> None:
    kept = {3: "a = 1\n", 2: None, 1: "a = 1\nb = 2\n"}
    whole = {"at": "2026-01-31T12:08:00.123Z", "by": "file", "reason": None}
    items = [
        {"version": number, "text": text, "in_file": False, "in_force": False, **whole}
        for number, text in kept.items()
    ]
    intercept(shared.page, "**/config/versions", lambda route: route.fulfill(json={"items": items}))
    page = opened(shared)
    for number in kept:
        page.locator(f"#version-{number}").click()
    told = page.locator(".version .hint")
    expect(told).to_have_text(
        [
            "What differs from version 1, the newest before it that can be shown:",
            "It is not shown: its secrets cannot be told apart from the rest.",
            "The oldest text that is kept:",
        ]
    )
    expect(page.locator(".version .removed")).to_have_text("- b = 2")
    kept[1] = items[2]["text"] = None
    page.reload()
    page.locator("#version-3").click()
    expect(told).to_have_text("No version before it can be shown. Its text:")


def test_what_the_page_will_not_be_able_to_do_is_told_before_and_after_the_save(
    shared: Dashboard,
) -> None:
    checks: list[dict[str, Any]] = []

    def keep_or_answer(route: Route) -> None:
        if "check" in route.request.url:
            answer = route.fetch()
            checks.append(answer.json())
            route.fulfill(response=answer)
        elif route.request.method == "PUT":
            route.fulfill(json={**checks[-1], "written": True})  # the API shall stay as it is
        else:
            route.continue_()

    intercept(shared.page, "**/config*", keep_or_answer)
    page = opened(shared)
    note = "Nothing can be changed over HTTP then: only the file on the machine takes that back."
    rewrite(page, "[pools.default]", "[api]\nread_only = true\n\n[pools.default]")
    expect(page.locator("#effects").get_by_text(note, exact=True)).to_be_visible()
    page.locator("#save").click()
    expect(page.locator("#became")).to_contain_text(
        f"In force within 2 seconds: the supervisor watches the file. {note}"
    )


def test_going_back_claims_no_change_of_secrets_that_are_not_compared(
    page: Page, shared: Dashboard, shared_path: Path
) -> None:
    alert = (
        "[[alerts]]\nname = 'down'\non = ['worker.fatal']\nwebhook = 'http://127.0.0.1:9/hush'\n"
    )
    save_by_hand(shared.system, shared_path, f"{TEXT}\n{alert}")
    version = shared.system.get("/config")["in_force"]["version"]
    opened(shared)
    became = page.locator("#became")
    rewrite(page, *LIMIT)
    save(page)
    expect(became).to_contain_text("In force. Changed: queues.letters")
    page.locator(f"#version-{version}-back").click()
    effects = page.locator("#effects")
    expect(effects.get_by_text("changes", exact=False)).to_have_text("changes queues.letters")
    expect(effects).to_contain_text("The secrets of alerts are not compared.")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    expect(page.locator("#in-force")).to_contain_text(f"version {version + 2}, since ")
    entry, _, edit = shared.system.get("/audit")["items"][:3]
    assert edit["by"] == "file"
    after = f"version {version + 2}: queues.letters; secrets of alerts are"
    assert entry["after"].startswith(after)


def test_a_rejected_module_is_undone_by_going_back_to_what_is_in_force(
    page: Page, shared: Dashboard, shared_path: Path
) -> None:
    opened(shared)
    version = shared.system.get("/config")["in_force"]["version"]
    shared_path.write_text(f"[jobs]\nmodules = ['no_such_jobs']\n\n{TEXT}", encoding="utf-8")
    expect(page.locator("#rejected")).to_contain_text("no_such_jobs")
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#verdict")).to_have_text("The configuration is valid, with 1 warning.")
    again = "would be rejected again: no_such_jobs does not import"
    expect(page.locator("#problems")).to_contain_text(again)
    unless = "In force unless jobs.modules is rejected again."
    expect(page.locator("#effects")).to_contain_text(unless)
    page.locator("#undo").click()
    page.locator(f"#version-{version}-back").click()
    expect(page.locator("#effects")).to_contain_text("No setting changes its value.")
    save(page)
    expect(page.locator("#in-force")).to_contain_text("works by the file as it is")
    expect(page.locator("#rejected")).to_be_hidden()
    assert shared_path.read_text(encoding="utf-8") == TEXT
    page.locator(f"#version-{version + 1}").click()
    expect(page.locator("#versions .notice")).to_contain_text(
        "It was rejected: jobs.modules: no_such_jobs does not import"
    )
