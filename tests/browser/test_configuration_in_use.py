"""The configuration page while others change the file, and with many tables and versions."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.configuration_page import TEXT, opened, rewrite, save
from tests.browser.conftest import Dashboard


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
    for number in range(6):
        shared_path.write_text(TEXT + f"# {number}\n" * 9, encoding="utf-8")
        expect(page.locator("#versions li").first.locator(".mark-now")).to_have_text(
            "in the file, in force"
        )
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
