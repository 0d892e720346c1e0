"""The configuration page: checked as one writes, saved with what will restart in view."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from orpheus.shared.operations.configuration import MASK
from tests.browser.configuration_page import (
    TEXT,
    leads_to_its_line_in_view,
    one_of_several_tables_leads_to_its_line_by_its_name,
    opened,
    rewrite,
    save,
    save_by_hand,
)
from tests.browser.conftest import READ_ONLY, Dashboard, wait_until_held
from tests.browser.examine import examine
from tests.browser.interception import Route, intercept, stop_intercepting
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


def test_the_editor_is_as_tall_as_its_text_and_a_setting_in_force_leads_to_its_line_in_view(
    shared: Dashboard,
) -> None:
    page = opened(shared)
    text = page.locator("#text")
    box_of: Any = lambda selector: page.locator(selector).first.bounding_box()  # noqa: E731
    short = box_of("#text")["height"]
    assert abs(box_of("#gutter")["height"] - short) < 3
    assert box_of("#gutter span")["width"] <= box_of("#gutter")["width"]
    assert short < 30 * TEXT.count("\n"), "little of it is empty"
    text.fill(TEXT + "# more\n" * 10)
    tall = box_of("#text")["height"]
    assert text.evaluate("area => area.scrollHeight - area.clientHeight") == 0
    text.fill(TEXT)
    assert box_of("#text")["height"] == tall > short, "nothing jumps while somebody types"
    text.fill(TEXT + "# more\n" * 100)
    assert box_of("#text")["height"] < page.evaluate("innerHeight")
    page.locator("#undo").click()
    assert box_of("#text")["height"] == short
    assert box_of(".settings")["width"] == box_of("main > .head")["width"]
    for width in (1440, 1024, 360):
        leads_to_its_line_in_view(page, width)


def test_it_is_done_with_the_keyboard_alone(shared: Dashboard, shared_path: Path) -> None:
    page = shared.open()
    page.keyboard.type("gc")
    expect(page.locator("#settings tr").first).to_be_visible()
    page.locator("#text").focus()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.type("# first\n")
    expect(page.locator("#save")).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.locator("#diff")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("why not")
    save(page, by_key=True)
    assert shared_path.read_text() == "# first\n" + TEXT


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


def test_of_two_editors_at_once_none_loses_anything_or_is_told_the_others_change_as_his(
    shared: Dashboard, shared_path: Path
) -> None:
    mine = opened(shared)
    other = mine.context.new_page()
    other.goto(shared.system.url + "/ui/configuration")
    expect(other.locator("#settings tr").first).to_be_visible()
    rewrite(mine, "# few", "# mine")
    expect(mine.locator("#save")).to_be_enabled()
    theirs = "[queues.letters]\nmax_running = 3\n"
    rewrite(other, "[[commands]]", theirs + "[[commands]]")
    save(other)
    expect(mine.locator("#changed-elsewhere")).to_be_visible()
    expect(mine.locator("#elsewhere")).to_have_text(
        "The file was changed elsewhere. Changed: queues.letters."
    )
    expect(mine.locator("#became")).to_have_text("")
    expect(mine.locator("#save")).to_be_disabled()
    assert "# mine" in mine.locator("#text").input_value(), "what I wrote is still here"
    mine.locator("#keep").click()
    expect(mine.locator("#diff .removed").nth(1)).to_have_text("- [queues.letters]")
    expect(mine.locator("#save")).to_be_enabled()
    save(mine)
    assert shared_path.read_text() == TEXT.replace("# few", "# mine")
    expect(mine.locator("#became")).to_have_text("In force. Changed: queues.letters.")
    expect(mine.locator("#elsewhere")).to_be_hidden()
    other.close()


def test_what_is_typed_while_the_file_is_saved_stays_and_can_be_saved(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "PUT" and "check" not in route.request.url:
            held.append(route)
        else:
            route.continue_()

    intercept(page, "**/config*", hold)
    text = page.locator("#text").input_value()
    page.locator("#text").fill(text + "# one\n")
    expect(page.locator("#save")).to_be_enabled()
    page.locator("#save").click()
    wait_until_held(page, held)
    page.locator("#text").fill(text + "# one\n# two\n")
    expect(page.locator("#effects")).to_be_visible()
    held.pop().continue_()
    expect(page.locator("#became")).to_have_text(
        "What you saved before is in force. No setting changed."
    )
    assert shared_path.read_text() == TEXT + "# one\n"
    expect(page.locator("#diff .added")).to_have_text(["+ # two"])
    assert page.locator("#text").input_value() == text + "# one\n# two\n"
    expect(page.locator("#save")).to_be_enabled()
    stop_intercepting(page, "**/config*")
    page.locator("#save").click()
    expect(page.locator("#planned")).to_be_hidden()
    assert shared_path.read_text() == TEXT + "# one\n# two\n"


def test_what_is_typed_while_the_file_is_read_again_stays(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    text = page.locator("#text").input_value()
    held: list[Route] = []
    answered: list[Route] = []

    def hold(route: Route) -> None:
        """Hold the second read: the first one tells that the file has changed."""
        if route.request.method != "GET" or held or not answered:
            answered.append(route)
            route.continue_()
        else:
            held.append(route)

    intercept(page, "**/config", hold)
    shared_path.write_text("# theirs\n" + TEXT, encoding="utf-8")
    wait_until_held(page, held)
    page.locator("#text").fill(text + "# mine\n")
    held[0].continue_()
    expect(page.locator("#diff .removed")).to_have_text("- # theirs")
    expect(page.locator("#diff .added")).to_have_text("+ # mine")
    assert page.locator("#text").input_value() == text + "# mine\n"


def test_own_settings_come_first_and_are_named_by_their_file(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    expect(page.locator("#settings tr").first.locator(".own")).to_have_count(1)
    own = page.locator("#settings tr", has_text="pools.default.workers").locator(".own")
    expect(own).to_have_text(re.compile(r"^own\.toml:\d+$"))
    expect(own).to_have_attribute("title", re.compile(rf"^{re.escape(str(shared_path))}:\d+$"))
    page.locator("#text").fill("\n\n" + TEXT)
    own.get_by_role("button").press("Enter")
    marked = "area => area.value.slice(area.selectionStart, area.selectionEnd)"
    assert page.locator("#text").evaluate(marked) == "workers = 1 # few"
    page.locator("#text").fill("")
    own.get_by_role("button").press("Enter")
    expect(page.locator("#no-match")).to_contain_text("does not set pools.default.workers")
    page.locator("#undo").click()
    one_of_several_tables_leads_to_its_line_by_its_name(page)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("Shutdown_DEADLINE")
    shown = page.locator(".settings tbody tr:visible")
    expect(shown).to_have_count(1)
    expect(shown.locator("td").first).to_have_text('"40s"')
    expect(page.locator("#defaults-count")).to_have_text(
        re.compile(r"^1 of \d+ settings at the default$")
    )
    expect(page.locator(".settings thead:visible th", has_text="set by")).to_have_count(0)
    expect(shown).to_be_in_viewport()
    page.locator("#search").fill("own.toml")
    expect(page.locator("#no-match")).to_be_visible()
    page.locator("#search").fill("pools.default.workers 1")
    expect(own).to_be_visible()
    expect(page.locator("#defaults-count")).to_be_hidden()
    page.locator("#search").fill("")
    expect(page.locator("#defaults-count")).to_have_text(
        re.compile(r"^\d+ settings are at the default$")
    )
    expect(page.locator("#defaults")).to_be_hidden()


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


def test_a_file_that_is_gone_is_told_and_comes_back_with_every_byte(
    page: Page, shared: Dashboard, shared_path: Path
) -> None:
    version = shared.system.get("/config")["in_force"]["version"]
    page.goto(shared.system.url + "/ui/configuration")
    expect(page.locator("#in-force")).to_contain_text("works by the file as it is")
    shared_path.unlink()
    rejected = page.get_by_text(f"{shared_path} is gone: what it set stays")
    expect(rejected.first).to_be_visible()
    page.reload()
    expect(page.locator("#in-force")).to_contain_text("The file is gone; what it set stays")
    page.locator(f"#version-{version}-back").click()
    save(page)
    expect(page.locator("#in-force")).to_contain_text("works by the file as it is")
    expect(rejected).to_have_count(0)
    assert shared_path.read_text(encoding="utf-8") == TEXT


def test_the_reason_of_a_discarded_change_is_not_that_of_the_next(
    page: Page, shared: Dashboard, shared_path: Path
) -> None:
    opened(shared)
    versions, reason = page.locator("#versions li"), page.locator("#reason")
    before = versions.count()
    rewrite(page, "workers = 1", "workers = 2")
    reason.fill("of a change that is undone")
    page.locator("#undo").click()
    rewrite(page, "workers = 1", "workers = 3")
    expect(reason).to_have_value("")
    reason.fill("of a change that is discarded")
    shared_path.write_text(f"{TEXT}# more\n", encoding="utf-8")
    expect(versions).to_have_count(before + 1)
    page.locator("#load").click()
    expect(page.locator("#text")).to_have_value(re.compile("# more"))
    rewrite(page, "workers = 1", "workers = 4")
    expect(reason).to_have_value("")


def test_a_time_has_its_seconds_at_the_full_minute_and_a_long_variable_is_readable_on_a_phone(
    page: Page, shared: Dashboard
) -> None:
    name = "ORPHEUS_SUPERVISOR__RESTART_BACKOFF_MAX"

    def at_the_full_minute(route: Route) -> None:
        told = route.fetch().json()
        for one in told.get("items", [told.get("in_force", {})]):
            for key in {"at", "since"} & one.keys():
                one[key] = "2026-01-31T12:08:00.123Z"
        for one in told.get("settings", []):
            if one["key"] == "supervisor.restart_backoff_max":
                one["origin"] = name
        route.fulfill(json=told)

    intercept(page, "**/config", at_the_full_minute)
    intercept(page, "**/config/versions", at_the_full_minute)
    page.set_viewport_size({"width": 360, "height": 800})
    opened(shared)
    box = page.get_by_role("row").filter(has_text=name).bounding_box()
    assert box is not None
    assert box["height"] < 120, "three lines and their distance"
    seconds = re.compile(r" \d\d:\d\d:00$")
    expect(page.locator("#versions time").first).to_have_text(seconds)
    expect(page.locator("#in-force time")).to_have_text(seconds)
