"""Going back to an earlier version on the configuration page: what it says of secrets."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.configuration_page import TEXT, opened, rewrite, save, save_by_hand
from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def configured(page: Page, start_system: Callable[..., Any], path: Path) -> Dashboard:
    """A page on an Orpheus with a file of its own."""
    system = start_system(config=path)
    system.wait_until_ready()
    return Dashboard(page, system)


def test_going_back_claims_no_change_of_secrets_that_are_not_compared(
    page: Page, configured: Dashboard, path: Path
) -> None:
    alert = (
        "[[alerts]]\nname = 'down'\non = ['worker.fatal']\nwebhook = 'http://127.0.0.1:9/hush'\n"
    )
    path.write_text(f"{TEXT}\n{alert}", encoding="utf-8")
    opened(configured)
    became = page.locator("#became")
    expect(page.locator("#versions li")).to_have_count(2)
    rewrite(page, "workers = 1", "workers = 2")
    save(page)
    expect(became).to_contain_text("In force. Changed: pools.default.workers")
    page.locator("#version-2-back").click()
    effects = page.locator("#effects")
    expect(effects.get_by_text("changes", exact=False)).to_have_text(
        "changes pools.default.workers"
    )
    expect(effects).to_contain_text("The secrets of alerts are not compared.")
    expect(page.locator("#save")).to_be_enabled()
    save(page)
    expect(page.locator("#in-force")).to_contain_text("version 4, since ")
    entry, _, edit = configured.system.get("/audit")["items"]
    assert edit["by"] == "file"
    assert entry["after"].startswith("version 4: pools.default.workers; secrets of alerts are")
    assert configured.problems == []


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


def test_a_rejected_module_is_undone_by_going_back_to_what_is_in_force(
    page: Page, configured: Dashboard, path: Path
) -> None:
    opened(configured)
    path.write_text(f"[jobs]\nmodules = ['no_such_jobs']\n\n{TEXT}", encoding="utf-8")
    expect(page.locator("#rejected")).to_contain_text("no_such_jobs")
    rewrite(page, "workers = 1", "workers = 2")
    expect(page.locator("#verdict")).to_have_text("The configuration is valid, with 1 warning.")
    again = "would be rejected again: no_such_jobs does not import"
    expect(page.locator("#problems")).to_contain_text(again)
    unless = "In force unless jobs.modules is rejected again."
    expect(page.locator("#effects")).to_contain_text(unless)
    page.locator("#undo").click()
    page.locator("#version-1-back").click()
    expect(page.locator("#effects")).to_contain_text("No setting changes its value.")
    save(page)
    expect(page.locator("#in-force")).to_contain_text("works by the file as it is")
    expect(page.locator("#rejected")).to_be_hidden()
    assert path.read_text(encoding="utf-8") == TEXT
    page.locator("#version-2").click()
    expect(page.locator("#versions .notice")).to_contain_text(
        "It was rejected: jobs.modules: no_such_jobs does not import"
    )
    assert configured.problems == []


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


def test_a_default_that_an_operator_has_overruled_has_a_whole_row(
    page: Page, configured: Dashboard, path: Path
) -> None:
    save_by_hand(configured.system, path, f"{TEXT}\n[queues.mail]\nmax_running = 2\n")
    configured.system.client.post("/queues/mail/pause").raise_for_status()
    opened(configured)
    row = page.locator("#settings tr").filter(has_text="queues.mail.paused")
    expect(row).to_contain_text("stays paused: an operator")
    expect(row.locator(".own")).to_have_text("default")
    assert configured.problems == []


def test_a_setting_of_a_long_variable_is_readable_on_a_phone(page: Page, shared: Dashboard) -> None:
    name = "ORPHEUS_SUPERVISOR__RESTART_BACKOFF_MAX"

    def as_if_set_by_it(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        [one] = [one for one in told["settings"] if one["key"] == "supervisor.restart_backoff_max"]
        one["origin"] = name
        route.fulfill(response=answer, json=told)

    intercept(page, "**/config", as_if_set_by_it)
    page.set_viewport_size({"width": 360, "height": 800})
    opened(shared)
    row = page.get_by_role("row").filter(has_text=name)
    box = row.bounding_box()
    assert box is not None
    assert box["height"] < 120, "three lines and their distance"
