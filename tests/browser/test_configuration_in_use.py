"""The configuration page while others change the file, and with many tables and versions."""

import re
from pathlib import Path

from playwright.sync_api import Dialog, expect

from orpheus.shared.operations.configuration import MASK
from tests.browser.configuration_page import (
    TEXT,
    opened,
    rewrite,
    save,
)
from tests.browser.conftest import Dashboard


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


def test_a_file_that_is_not_toml_is_told_once_with_the_way_out_and_nothing_to_edit(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    version = shared.system.get("/config")["in_force"]["version"]
    shared_path.write_text("\n[pools.default\n", encoding="utf-8")
    expect(page.locator("#obstacle")).to_be_visible()
    page.reload()
    expect(page.locator("#rejected")).to_contain_text("own.toml:2:")
    expect(page.locator("#obstacle")).to_contain_text(
        f"change it on the machine, or go back to version {version}, which is in force"
    )
    for gone in ("#text", "#gutter", "#undo", "#problems li"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#verdict")).to_have_text("")
    assert page.locator("main").inner_text().count("own.toml:2:") == 1
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


def test_what_an_editor_saves_is_a_version_and_going_back_asks_before_typed_text_is_lost(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    versions = page.locator("#versions li").count()
    shared_path.write_text(TEXT + "# by hand\n", encoding="utf-8")
    expect(page.locator("#versions li")).to_have_count(versions + 1)
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
