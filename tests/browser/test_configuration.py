"""The configuration page: checked as one writes, saved with what will restart in view."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from orpheus.shared.domain.hidden import MASK
from tests.browser.configuration_page import TEXT, opened, rewrite, save, save_by_hand
from tests.browser.conftest import READ_ONLY, Dashboard
from tests.browser.examine import examine
from tests.variants import variants


def test_a_change_is_shown_before_it_is_saved_followed_and_rolled_back_with_one_click(
    shared: Dashboard, shared_path: Path
) -> None:
    """The lines of the file end as on Windows: an edit keeps that."""
    system, path = shared.system, shared_path
    save_by_hand(system, path, TEXT.replace("\n", "\r\n"))
    version = system.get("/config")["in_force"]["version"]
    page = opened(shared)
    expect(page.locator("#path")).to_have_text(str(path))
    versions = page.locator("#versions li")
    expect(versions).to_have_count(version)
    expect(versions.first).to_contain_text("edited on the machine")
    expect(page.locator("#in-force")).to_contain_text(f"version {version}, since ")
    assert "hush" not in page.content() + page.locator("#text").input_value()
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#effects")).to_contain_text("pools.default.workers")
    expect(page.locator("#effects")).to_contain_text("default-2")
    expect(page.locator("#diff .removed")).to_have_text("- workers = 1 # few")
    expect(page.locator("#diff .added")).to_have_text("+ workers = 2 # few")
    page.locator("#reason").fill("a busy week")
    page.locator("#save").click()
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    saved = TEXT.replace("workers = 1", "workers = 2").replace("\n", "\r\n")
    assert path.read_bytes() == saved.encode()
    expect(page.locator("#planned")).to_be_hidden()
    row = page.locator("#settings tr", has_text="pools.default.workers")
    expect(row.locator("td").first).to_have_text("2")
    expect(row.locator(".own")).to_have_text("own.toml:2")
    newest, first = system.get("/config/versions")["items"][:2]
    assert (newest["reason"], newest["in_force"], first["by"]) == ("a busy week", True, "file")
    trail = system.get("/audit")["items"][0]
    assert (trail["action"], trail["reason"], trail["count"]) == ("configure", "a busy week", 1)

    expect(versions).to_have_count(version + 1)
    page.locator(f"#version-{version + 1}").click()
    expect(page.locator(".version .added")).to_have_text("+ workers = 2 # few")
    assert "hush" not in page.content()
    page.locator(f"#version-{version}-back").click()
    expect(page.locator("#effects")).to_contain_text("stops default-2")
    expect(page.locator("#diff .added")).to_have_text("+ workers = 1 # few")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("it was enough")
    expect(page.locator("#save")).to_have_text(f"Go back to version {version}")
    expect(page.locator("#save")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator("#in-force")).to_contain_text(f"version {version + 2}, since ")
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    assert path.read_bytes() == TEXT.replace("\n", "\r\n").encode(), "with its secrets"
    expect(page.locator("#versions")).to_contain_text("it was enough")
    expect(page.locator("#planned")).to_be_hidden()
    rows = system.get("/audit")["items"][:2]
    went_back = f"configuration, back to version {version}"
    assert [row["target"] for row in rows] == [went_back, "configuration"]
    save_by_hand(system, path, TEXT)


def test_a_problem_is_marked_at_its_line_told_above_the_button_and_nothing_can_be_saved(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    rewrite(page, "workers = 1", "wokers = 1")
    problem = page.locator("#problems li")
    expect(problem).to_contain_text("did you mean pools.default.workers?")
    expect(page.locator("#gutter .wrong")).to_have_text("2")
    expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#save")).to_be_disabled()
    problem.get_by_role("button", name="line 2").press("Enter")
    expect(page.locator("#text")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "wokers = 1 # few"
    page.locator("#undo").click()
    expect(page.locator("#problems li")).to_have_count(0)
    rewrite(page, '["true"]', '["rm"]')
    expect(page.locator("#problems")).to_contain_text("names code")
    expect(page.locator("#save")).to_be_disabled()
    page.set_viewport_size({"width": 1440, "height": 900})
    text = TEXT.replace("hush", MASK) + "# more\n" * 60
    page.locator("#text").fill(text.replace("workers = 1", "wokers = 1"))
    expect(problem).to_contain_text("did you mean pools.default.workers?")
    expect(problem).to_be_in_viewport(ratio=1)
    told, save_it = problem.bounding_box(), page.locator("#save").bounding_box()
    assert told is not None
    assert save_it is not None
    assert told["x"] == save_it["x"]
    assert told["y"] < save_it["y"], "why it cannot be saved stands above the button"
    assert shared_path.read_text() == TEXT


def test_a_file_changed_by_somebody_else_is_not_overwritten(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    rewrite(page, "# few", "# mine")
    expect(page.locator("#save")).to_be_enabled()
    shared_path.write_text(TEXT + "[queues.letters]\nrate = '9/s'\n", encoding="utf-8")
    page.locator("#save").click()
    expect(page.locator("#changed-elsewhere")).to_be_visible()
    page.locator("#keep").click()
    expect(page.locator("#diff")).to_contain_text("- rate = '9/s'")
    page.locator("#undo").click()
    assert "rate = '9/s'" in page.locator("#text").input_value()


@READ_ONLY
def test_read_only_shows_it_without_an_editor(page: Page, read_only_system: Any) -> None:
    shown = opened(Dashboard(page, read_only_system))
    expect(shown.locator("#text")).not_to_be_editable()
    expect(shown.locator("#change")).to_be_hidden()
    expect(shown.locator("#versions li")).to_have_count(1)
    expect(shown.locator("#versions button")).to_have_count(0)
    expect(shown.locator("#in-force")).to_contain_text("version 1, since ")
    assert Axe().run(shown).violations_count == 0
    assert TEXT.splitlines()[1] in shown.locator("#text").input_value()


@pytest.mark.parametrize("width", variants([1280, 360], 360))
def test_axe_finds_nothing_in_any_state_and_a_phone_never_scrolls_sideways(
    shared: Dashboard, shared_path: Path, width: int
) -> None:
    save_by_hand(shared.system, shared_path, f"# differs from the version before\n{TEXT}")
    page = opened(shared)
    page.locator("#versions summary").first.click()
    page.locator(".version pre").wait_for()
    rewrite(page, "workers = 1", "wokers = 1")
    page.locator("#problems li").wait_for()
    page.set_viewport_size({"width": width, "height": 740})
    examine(page)
    page.locator("#undo").click()
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#effects")).to_contain_text("starts")
    examine(page)


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
    rewrite(page, f'max_retires = "{MASK}"', "max_retries = 4")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    assert shared_path.read_text() == TEXT + "[jobs]\nmax_retries = 4\n"
