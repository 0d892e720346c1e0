"""The configuration page: checked as one writes, saved with what will restart in view."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.configuration_page import TEXT, opened, rewrite, save, save_by_hand
from tests.browser.conftest import READ_ONLY, Dashboard, wait_until_held
from tests.browser.examine import examine
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.variants import variants


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Its lines end as on Windows: an edit keeps that."""
    path = tmp_path / "own.toml"
    path.write_text(TEXT, encoding="utf-8", newline="\r\n")
    return path


@pytest.fixture
def configured(page: Page, start_system: Callable[..., Any], path: Path) -> Iterator[Dashboard]:
    """A page on an Orpheus with a configuration file of its own."""
    watched = Dashboard(page, start_system(config=path))
    watched.system.wait_until_ready()
    yield watched
    assert watched.problems == []


def test_a_change_is_shown_before_it_is_saved_followed_and_rolled_back_with_one_click(
    configured: Dashboard, path: Path
) -> None:
    page = opened(configured)
    expect(page.locator("#path")).to_have_text(str(path))
    expect(page.locator("#versions li")).to_have_count(1)
    expect(page.locator("#versions")).to_contain_text("edited on the machine")
    expect(page.locator("#in-force")).to_contain_text("version 1, since ")
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
    newest, first = configured.system.get("/config/versions")["items"]
    assert (newest["reason"], newest["in_force"], first["by"]) == ("a busy week", True, "file")
    (trail,) = configured.system.get("/audit")["items"]
    assert (trail["action"], trail["reason"], trail["count"]) == ("configure", "a busy week", 1)

    expect(page.locator("#versions li")).to_have_count(2)
    page.locator("#version-2").click()
    expect(page.locator(".version .added")).to_have_text("+ workers = 2 # few")
    assert "hush" not in page.content()
    page.locator("#version-1-back").click()
    expect(page.locator("#effects")).to_contain_text("stops default-2")
    expect(page.locator("#diff .added")).to_have_text("+ workers = 1 # few")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("it was enough")
    expect(page.locator("#save")).to_have_text("Go back to version 1")
    expect(page.locator("#save")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator("#in-force")).to_contain_text("version 3, since ")
    expect(page.locator("#became")).to_contain_text("In force. Changed: pools.default.workers")
    assert path.read_text() == TEXT, "every byte, with its secrets"
    expect(page.locator("#versions")).to_contain_text("it was enough")
    expect(page.locator("#planned")).to_be_hidden()
    rows = configured.system.get("/audit")["items"]
    assert [row["target"] for row in rows] == ["configuration, back to version 1", "configuration"]


def test_a_problem_is_marked_at_its_line_and_nothing_can_be_saved(
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
    assert shared_path.read_text() == TEXT


@pytest.mark.parametrize("width", variants([1440, 1024, 360], 1440, 360))
def test_a_setting_in_force_leads_to_its_line_in_view(shared: Dashboard, width: int) -> None:
    shared.page.set_viewport_size({"width": width, "height": 740})
    page = opened(shared)
    page.locator("#text").fill("# before\n" * 24 + TEXT + "# after\n" * 40)
    row = page.locator("#settings tr", has_text="pools.default.workers")
    row.get_by_role("button").click()
    here = page.locator("#gutter .here")
    expect(here).to_have_text("26")
    expect(here).to_be_in_viewport(ratio=1)
    own, editor = here.bounding_box(), page.locator("#text").bounding_box()
    assert own is not None
    assert editor is not None
    assert editor["y"] <= own["y"] <= editor["y"] + editor["height"]
    page.locator("#text").press("End")
    page.keyboard.type(" and more")
    expect(here).to_have_count(0)


def test_why_it_cannot_be_saved_stands_above_the_button(shared: Dashboard) -> None:
    shared.page.set_viewport_size({"width": 1440, "height": 900})
    page = opened(shared)
    text = page.locator("#text").input_value() + "# more\n" * 60
    page.locator("#text").fill(text.replace("workers = 1", "wokers = 1"))
    problem = page.locator("#problems li")
    expect(problem).to_be_in_viewport(ratio=1)
    told, save_it = problem.bounding_box(), page.locator("#save").bounding_box()
    assert told is not None
    assert save_it is not None
    assert told["x"] == save_it["x"]
    assert told["y"] < save_it["y"]


def test_what_names_code_is_told_to_be_out_of_reach(shared: Dashboard) -> None:
    page = opened(shared)
    rewrite(page, '["true"]', '["rm"]')
    expect(page.locator("#problems")).to_contain_text("names code")
    expect(page.locator("#save")).to_be_disabled()


def test_a_file_changed_by_somebody_else_is_not_overwritten(
    configured: Dashboard, path: Path
) -> None:
    page = opened(configured)
    rewrite(page, "# few", "# mine")
    expect(page.locator("#save")).to_be_enabled()
    path.write_text(TEXT + "[logging]\nlevel = 'debug'\n", encoding="utf-8")
    page.locator("#save").click()
    expect(page.locator("#changed-elsewhere")).to_be_visible()
    page.locator("#keep").click()
    expect(page.locator("#diff")).to_contain_text("- level = 'debug'")
    page.locator("#undo").click()
    assert "level = 'debug'" in page.locator("#text").input_value()


def test_the_editor_is_as_tall_as_its_text_and_numbers_its_lines(shared: Dashboard) -> None:
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
    text.fill(TEXT + "# more\n" * 500)
    assert box_of("#text")["height"] < page.evaluate("innerHeight")
    page.locator("#undo").click()
    assert box_of("#text")["height"] == short
    assert box_of(".settings")["width"] == box_of("main > .head")["width"]


def test_a_rejected_file_is_told_at_the_top_of_the_page(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    shared_path.write_text("[pools.default]\nworkers = 'many'\n", encoding="utf-8")
    expect(page.locator("#rejected")).to_contain_text("pools.default.workers")
    expect(page.locator("#became")).to_have_text("")
    expect(page.locator("#gutter .wrong")).to_have_text("2")


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


def test_what_an_editor_on_the_machine_saves_shows_as_a_version(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    before = page.locator("#versions li").count()
    own = page.get_by_role("button", name="own.toml:2")
    own.focus()
    shared_path.write_text(TEXT + "# by hand\n", encoding="utf-8")
    expect(page.locator("#versions li")).to_have_count(before + 1)
    expect(own).to_be_focused()
    newest = page.locator("#versions li").first
    expect(newest).to_contain_text("edited on the machine")
    expect(newest).to_contain_text("in the file, in force")
    newest.locator("summary").press("Enter")
    expect(newest.locator(".added")).to_have_text("+ # by hand")


def test_what_is_in_force_is_told_while_the_file_is_wrong_and_one_goes_back(
    shared: Dashboard, shared_path: Path
) -> None:
    page = opened(shared)
    version = shared.system.get("/config")["in_force"]["version"]
    shared_path.write_text("[pools.default\n", encoding="utf-8")
    expect(page.locator("#rejected")).to_be_visible()
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


def test_of_two_editors_at_once_none_loses_anything(shared: Dashboard, shared_path: Path) -> None:
    mine = opened(shared)
    other = mine.context.new_page()
    other.goto(shared.system.url + "/ui/configuration")
    expect(other.locator("#settings tr").first).to_be_visible()
    rewrite(mine, "# few", "# mine")
    expect(mine.locator("#save")).to_be_enabled()
    rewrite(other, TEXT.splitlines()[0], "# theirs\n" + TEXT.splitlines()[0])
    save(other)
    expect(mine.locator("#changed-elsewhere")).to_be_visible()
    expect(mine.locator("#save")).to_be_disabled()
    assert "# mine" in mine.locator("#text").input_value(), "what I wrote is still here"
    mine.locator("#keep").click()
    expect(mine.locator("#diff .removed").first).to_have_text("- # theirs")
    rewrite(mine, "[pools", "# theirs\n[pools")
    expect(mine.locator("#save")).to_be_enabled()
    save(mine)
    assert shared_path.read_text() == "# theirs\n" + TEXT.replace("# few", "# mine")
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
    expect(page.locator("#became")).to_contain_text("In force")
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


def test_axe_finds_nothing_in_any_state_and_a_phone_never_scrolls_sideways(
    shared: Dashboard, shared_path: Path
) -> None:
    save_by_hand(shared.system, shared_path, f"# differs from the version before\n{TEXT}")
    page = opened(shared)
    page.locator("#versions summary").first.click()
    page.locator(".version pre").wait_for()
    rewrite(page, "workers = 1", "wokers = 1")
    page.locator("#problems li").wait_for()
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        examine(page)
    page.locator("#undo").click()
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#effects")).to_contain_text("starts")
    examine(page)
