"""The configuration page while others change the file, and with many tables and versions."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, expect

from orpheus.shared.operations.configuration import MASK
from tests.browser.configuration_page import TEXT, opened, rewrite, save
from tests.browser.conftest import Dashboard, wait_until_held
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.variants import variants


def test_what_somebody_else_changed_is_not_told_as_a_change_of_mine(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    rewrite(page, "# few", "# mine")
    shared_path.write_text(TEXT.replace("workers = 1", "workers = 2"), encoding="utf-8")
    expect(page.locator("#elsewhere")).to_have_text(
        "The file was changed elsewhere. Changed: pools.default.workers."
    )
    expect(page.locator("#became")).to_have_text("")
    page.locator("#keep").click()
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    expect(page.locator("#elsewhere")).to_be_hidden()


@pytest.mark.parametrize("lost_reads", variants([0, 1], 1))
def test_a_save_whose_answer_was_lost_is_told_as_mine(
    shared: Dashboard, shared_path: Path, lost_reads: int
) -> None:
    page = opened(shared)
    rewrite(page, "workers = 1", "workers = 2")
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
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    expect(page.locator("#changed-elsewhere")).to_be_hidden()
    expect(page.locator("#elsewhere")).to_be_hidden()
    expect(page.locator("#planned")).to_be_hidden()
    assert "workers = 2" in shared_path.read_text()
    stop_intercepting(page, "**/config")


def test_a_save_that_did_not_reach_the_api_is_saved_by_pressing_again(shared: Dashboard) -> None:
    page = opened(shared)
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#save")).to_be_enabled()
    intercept(page, "**/config", lambda route: route.abort())
    page.locator("#save").click()
    expect(page.locator("#problem")).to_contain_text("does not answer")
    stop_intercepting(page, "**/config")
    rewrite(page, "workers = 2", "workers = 3")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    expect(page.locator("#elsewhere")).to_be_hidden()


def test_a_mistyped_key_of_the_file_is_mended_on_the_page(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
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
    finally:
        shared.system.client.post("/queues/mail/resume")


def test_one_of_several_tables_leads_to_its_line_by_its_name(shared: Dashboard) -> None:
    page = opened(shared)
    row = page.locator("#settings tr", has_text="commands: pay")
    expect(row.locator(".own")).to_have_text("own.toml:4")
    page.locator("#text").fill('[[commands]]\nname = "other"\n' + TEXT)
    row.get_by_role("button").press("Enter")
    before = "area => area.value.slice(0, area.selectionStart).split('\\n').length"
    assert page.locator("#text").evaluate(before) == 6
    page.locator("#undo").click()


def test_older_versions_are_asked_for_and_an_open_one_keeps_its_button_in_its_row(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    newest = page.locator("#versions li").first
    for number in range(6):
        before = newest.locator("summary b").inner_text()
        shared_path.write_text(TEXT + f"# {number}\n" * 9, encoding="utf-8")
        expect(newest.locator("summary b")).not_to_have_text(before)
        expect(newest.locator(".mark-now")).to_have_text("in the file, in force")
        expect(page.locator("#text")).to_have_value(re.compile(f"# {number}"))
    assert page.locator("#versions li:visible").count() == 5
    second = page.locator("#versions li").nth(1)
    second.locator("summary").click()
    expect(second.locator(".added")).to_have_count(9)
    top = "one => one.getBoundingClientRect().top"
    button = second.get_by_role("button")
    assert abs(button.evaluate(top) - second.locator("summary").evaluate(top)) < 8
    more = page.locator("#more-versions")
    expect(more).to_have_text(re.compile(r"show \d+ older versions?"))
    more.press("Enter")
    expect(more).to_be_hidden()
    expect(page.locator("#versions li").nth(5).locator("summary")).to_be_focused()


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


def test_a_save_that_ends_below_a_newer_change_says_that_it_was_of_the_earlier_text(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    rewrite(page, "# few", "# some")
    expect(page.locator("#save")).to_be_enabled()
    held: list[Route] = []

    def hold_the_save(route: Route) -> None:
        held.append(route) if route.request.method == "PUT" else route.continue_()

    intercept(page, "**/config", hold_the_save)
    page.locator("#save").click()
    wait_until_held(page, held)
    rewrite(page, "# some", "# many")
    held.pop().continue_()
    expect(page.locator("#became")).to_have_text(
        "What you saved before is in force. No setting changed."
    )
    expect(page.locator("#diff .added")).to_have_text("+ workers = 1 # many")
    assert "# some" in shared_path.read_text()


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
    shared_path.write_text("\n[pools.default\n", encoding="utf-8")
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


def test_a_rejection_is_told_once_also_if_what_was_read_is_older(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)

    def without_rejection(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json={**told, "rejected": None})

    intercept(page, "**/config", without_rejection)
    shared_path.write_text("\n[pools.default\n", encoding="utf-8")
    expect(page.locator("#obstacle")).to_be_visible()
    expect(page.locator("#rejected")).to_contain_text("own.toml:2:")
    expect(page.locator("#problems li")).to_be_hidden()


def test_a_file_that_is_not_toml_names_its_line_also_where_nothing_has_rejected_it(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    shared_path.write_text("\n[pools.default\n", encoding="utf-8")
    expect(page.locator("#rejected")).to_be_visible()

    def without_rejection(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json={**told, "rejected": None})

    intercept(page, "**/config", without_rejection)
    page.reload()
    expect(page.locator("#problems li")).to_contain_text("own.toml:2:")
    expect(page.locator("#problems button")).to_have_count(0)
    expect(page.locator("#text")).to_be_hidden()


def test_the_time_of_a_version_has_its_seconds_also_at_the_full_minute(shared: Dashboard) -> None:
    def at_the_full_minute(route: Route) -> None:
        told = route.fetch().json()
        for one in told.get("items", [told.get("in_force", {})]):
            for key in {"at", "since"} & one.keys():
                one[key] = "2026-01-31T12:08:00.123Z"
        route.fulfill(json=told)

    intercept(shared.page, "**/config", at_the_full_minute)
    intercept(shared.page, "**/config/versions", at_the_full_minute)
    page = opened(shared)
    seconds = re.compile(r" \d\d:\d\d:00$")
    expect(page.locator("#versions time").first).to_have_text(seconds)
    expect(page.locator("#in-force time")).to_have_text(seconds)


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


def test_going_back_to_a_version_asks_before_typed_text_is_lost(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    versions = page.locator("#versions li").count()
    shared_path.write_text(TEXT + "# by hand\n", encoding="utf-8")
    expect(page.locator("#versions li")).to_have_count(versions + 1)
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
