"""The form made from a job type's JSON Schema."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, wait_until_held
from tests.browser.examine import examine
from tests.browser.interception import Route, intercept
from tests.variants import variants

PAYLOAD = {
    "to": {"street": "Ring 1"},
    "parcels": [{"weight_kg": 2.5, "contents": ["a", "b"]}, {"weight_kg": 1}],
    "pay": {"by": "invoice", "to": {"street": "Weg 2", "city": "Graz"}},
    "speed": "fast",
    "on": "2026-01-31",
    "at": "2026-01-31T12:00:00Z",
    "insured": True,
    "reference": "007",
    "back_to": None,
    "serial": 2**63 - 1,
    "labels": {"x": "y"},
    "note": {"text": "", "replies": [{"text": "yes"}]},
}


def opened(dashboard: Dashboard, query: str) -> Page:
    page = dashboard.open(f"/ui/submit?{query}")
    expect(page.locator("#curl")).not_to_be_empty()
    return page


def newest(dashboard: Dashboard) -> dict[str, Any]:
    job: dict[str, Any] = dashboard.system.get("/jobs?limit=1")["items"][0]
    return job


def sent(page: Page) -> dict[str, Any]:
    """The body of the curl command."""
    text = page.locator("#curl").inner_text()
    body: dict[str, Any] = json.loads(text[text.index("'") + 1 : text.rindex("'")])
    return body


def test_the_form_submits_and_follows_the_job_to_its_end(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=sum_range")
    page.locator("#example").click()
    expect(page.locator("#curl")).to_contain_text('{"type":"sum_range","payload":{"n":100000}}')
    page.locator("#options summary").click()
    page.locator("#option-tags").fill("eu, vip")
    page.locator("#send").click()
    expect(page.locator("#sent")).to_contain_text('{"sum":5000050000}')
    job = newest(lasting_dashboard)
    assert job["tags"] == ["eu", "vip"]
    link = page.locator("#sent a").first
    assert link.get_attribute("href") == f"/ui/jobs/{job['id']}"
    assert page.locator("#payload-n").input_value() == "100000", "the form stays for the next one"


def test_a_refusal_stands_at_its_field_and_nothing_is_stored(lasting_dashboard: Dashboard) -> None:
    before = lasting_dashboard.system.get("/jobs")["total"]["value"]
    page = opened(lasting_dashboard, "type=sleep")
    page.locator("#send").click()
    expect(page.locator("#payload-seconds-problem")).to_be_visible()  # it is missing
    page.locator("#type").select_option("sum_range")
    page.locator("#payload-n").fill("-1")
    page.locator("#send").click()
    expect(page.locator("#payload-n-problem")).to_contain_text("minimum")
    expect(page.locator("#payload-n")).to_be_focused()
    expect(page.locator("#payload-n")).to_have_attribute("aria-invalid", "true")
    page.locator("#payload-n").fill("many")
    expect(page.locator("#payload-n-problem")).to_be_hidden()
    page.locator("#send").click()
    expect(page.locator("#payload-n-problem")).to_contain_text("integer")
    page.locator("#payload-n").fill("5")
    page.locator("#options summary").click()
    page.locator("#option-queue").fill("not a name")
    page.locator("#options summary").click()
    page.locator("#send").click()
    expect(page.locator("#option-queue-problem")).to_be_visible()
    expect(page.locator("#option-queue")).to_be_focused()
    assert lasting_dashboard.system.get("/jobs")["total"]["value"] == before


def test_nested_objects_and_lists_are_filled_in_with_the_keyboard_alone(
    lasting_dashboard: Dashboard,
) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#payload-to-street").fill("Ring 1")
    for weight in ("1.50", "2", "3"):
        page.locator("#payload-parcels-add").press("Enter")
        expect(page.locator("#payload-parcels .items > li :focus")).to_have_count(1)
        page.keyboard.type(weight)
    page.locator("#payload-parcels li").nth(1).get_by_role("button", name="move up").press("Enter")
    page.locator("#payload-parcels li").nth(2).get_by_role("button", name="remove").press("Enter")
    page.locator("#payload-pay-kind").select_option(label="ByInvoice")
    page.locator("#payload-pay-1-to-street").fill("Weg 2")
    page.locator("#payload-serial").fill(str(2**63 - 1))
    page.locator("#payload-reference-kind").select_option(label="text")
    page.locator("#payload-reference-1").fill("007")
    page.locator("#payload-back_to-toggle").press("Enter")
    page.locator("#payload-back_to-street").fill("Gasse 3")
    page.keyboard.press("Enter")
    expect(page.locator("#sent")).to_contain_text('"parcels":2')
    assert newest(lasting_dashboard)["payload"] == {
        "to": {"street": "Ring 1"},
        "parcels": [{"weight_kg": 2}, {"weight_kg": 1.5}],
        "pay": {"by": "invoice", "to": {"street": "Weg 2"}},
        "serial": 2**63 - 1,
        "reference": "007",
        "back_to": {"street": "Gasse 3"},
    }


def test_each_problem_inside_is_at_its_field_and_the_first_one_has_the_focus(
    lasting_dashboard: Dashboard,
) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#payload-parcels-add").click()
    page.locator("#payload-parcels-0-weight_kg").fill("31")
    page.locator("#send").click()
    expect(page.locator("#payload-to-street")).to_be_focused()
    expect(page.locator("#payload-to-street")).to_be_in_viewport()
    expect(page.locator("#payload-to-street-problem")).to_have_text("is required")
    expect(page.locator("#payload-parcels-0-weight_kg-problem")).to_contain_text("maximum of 30")
    expect(page.locator("#payload-pay-0-number-problem")).to_have_text("is required")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_text_that_nobody_has_typed_is_not_given(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#payload-to-street").fill("Ring 1")
    page.locator("#payload-to-street").fill("")
    assert sent(page)["payload"]["to"] == {}
    page.locator("#as-json").click()
    page.locator("#payload-json").fill('{"to": {"street": ""}}')
    page.locator("#as-form").click()
    assert sent(page)["payload"]["to"] == {"street": ""}, "it was written"
    page.locator("#type").select_option("label")
    page.locator("#payload-texts-add").click()
    page.locator("#payload-texts-0-key").fill("home")
    page.locator("#send").click()
    expect(page.locator("#payload-texts-0-problem")).to_have_text("is required")


def test_form_and_json_hold_the_same_and_lose_nothing_of_whatever_shape(
    lasting_dashboard: Dashboard,
) -> None:
    page = opened(lasting_dashboard, "type=ship")
    text = json.dumps(PAYLOAD).replace("2.5", "2.50")
    page.locator("#as-json").click()
    page.locator("#payload-json").fill(text)
    page.locator("#as-form").click()
    expect(page.locator("#payload-fields")).to_be_visible()
    expect(page.locator("#payload-serial")).to_have_value(str(2**63 - 1))
    expect(page.locator("#payload-note-replies-0-text")).to_have_value("yes")
    assert sent(page)["payload"] == PAYLOAD
    assert '"weight_kg":2.50' in page.locator("#curl").inner_text(), "as it was written"
    page.locator("#as-json").click()
    assert json.loads(page.locator("#payload-json").input_value()) == PAYLOAD
    the_modules_that_read_a_schema_know_every_shape(page)


def the_modules_that_read_a_schema_know_every_shape(page: Page) -> None:
    told = page.evaluate((Path(__file__).parent / "shapes.js").read_text(encoding="utf-8"))
    assert told["kinds"] == [
        "json", "json", "string", "string?", "choice",
        "choice?", "integer?", "union",
        "union", "json", "map", "json", "array", "json",
        "boolean", "json", "number",
    ]  # fmt: skip
    assert told["words"] == "integer · 1 to 9 · default 4"
    assert told["circles"] == [
        "map of map of map of map",
        "map of one of several kinds",
        "list of one of several kinds or integer",
    ]
    assert told["exact"] == "exactly 1 item"
    assert told["fits"] == [False, True, False]
    assert (told["example"], told["bounded"]) == (True, [1, 5.5])


def test_a_map_has_a_key_and_a_value_for_each_entry_and_loses_none(
    lasting_dashboard: Dashboard,
) -> None:
    page = opened(lasting_dashboard, "type=label")
    add = page.locator("#payload-texts-add")
    add.press("Enter")
    expect(page.locator("#payload-texts-0-key")).to_be_focused()
    assert sent(page)["payload"] == {"texts": {}}
    page.keyboard.type("one")
    page.locator("#payload-texts-0").fill("first")
    add.press("Enter")
    page.locator("#payload-texts-1").fill("second")  # the key comes next
    expect(page.locator("#curl")).to_contain_text("Not complete yet: a value needs a key")
    expect(page.locator("#payload-texts-1-key-problem")).to_be_hidden()
    page.locator("#as-json").click()
    expect(page.locator("#payload-texts-1-key-problem")).to_have_text("a value needs a key")
    page.locator("#payload-texts-1-key").fill("one")
    page.locator("#send").click()
    expect(page.locator("#payload-texts-1-key-problem")).to_have_text(
        "another entry has the key one"
    )
    expect(page.locator("#payload-texts-1-key")).to_be_focused()
    page.locator("#payload-texts-1-key").fill("two/2")
    page.locator("#payload-by_place-add").press("Enter")
    page.locator("#payload-by_place-0-key").fill("home")
    page.locator("#send").click()
    expect(page.locator("#payload-by_place-0-street-problem")).to_have_text("is required")
    expect(page.locator("#payload-by_place-0-street")).to_be_focused()
    page.locator("#payload-by_place-0-street").fill("Ring 1")
    page.locator("#payload-texts li").first.get_by_role("button", name="remove").press("Enter")
    kept: dict[str, Any] = {
        "texts": {"two/2": "second"},
        "by_place": {"home": {"street": "Ring 1"}},
    }
    assert sent(page)["payload"] == kept
    page.locator("#as-json").click()
    assert json.loads(page.locator("#payload-json").input_value()) == kept
    for kept in (
        {"texts": {"": "", "2": "b", "1": "a", "__proto__": "c"}, "by_place": None},
        {"texts": {"a": "b"}, "by_place": {}},
    ):
        page.locator("#payload-json").fill(json.dumps(kept))
        page.locator("#as-form").click()
        expect(page.locator("#payload-fields")).to_be_visible()
        assert sent(page)["payload"] == kept
        page.locator("#as-json").click()
        assert json.loads(page.locator("#payload-json").input_value()) == kept


def test_json_that_the_form_cannot_show_stays_json_and_what_is_none_is_told_and_not_sent(
    lasting_dashboard: Dashboard,
) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#as-json").click()
    text, problem = page.locator("#payload-json"), page.locator("#payload-json-problem")
    for kept in ('{"to": 5}', '{"to": {"street": "a"}, "parcels": [[1]]}', "[1]"):
        text.fill(kept)
        expect(problem).to_be_hidden()
        page.locator("#as-form").click()
        expect(problem).to_contain_text("cannot show all of this")
        assert text.input_value() == kept
    text.fill("{")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(problem).to_contain_text("not valid JSON")
    expect(text).to_be_focused()
    text.fill('{"too": 1}')
    page.keyboard.press("ControlOrMeta+Enter")
    expect(problem).to_contain_text("to: is required")
    expect(problem).to_contain_text("too: is not a field")


def test_all_options_go_with_the_job_and_are_told_while_folded(
    lasting_dashboard: Dashboard,
) -> None:
    first = lasting_dashboard.system.submit("sum_range", {"n": 1})
    page = opened(lasting_dashboard, "type=sum_range")
    page.locator("#payload-n").fill("3")
    expect(page.locator("#options-given")).to_have_text("all at their defaults")
    page.locator("#options summary").click()
    expect(page.locator("#option-max_retries")).to_have_attribute("placeholder", "3")
    expect(page.locator("#option-timeout")).to_have_attribute("placeholder", "15m")
    given = {
        "queue": "reports", "priority": "-5", "delay": "1h", "max_retries": "7", "timeout": "30s",
        "unique_key": "only one", "concurrency_key": "ada", "depends_on": str(first), "tags": "a b",
    }  # fmt: skip
    for name, value in given.items():
        page.locator(f"#option-{name}").fill(value)
    page.locator("#option-on_dependency_failure").select_option("run")
    page.locator("#options summary").click()
    expect(page.locator("#options-given")).to_contain_text("queue reports · priority -5")
    page.locator("#payload-n").press("Enter")
    expect(page.locator("#sent li")).to_have_count(1)
    job = newest(lasting_dashboard)
    assert (job["queue"], job["priority"], job["max_retries"], job["timeout"]) == (
        "reports", -5, 7, 30,
    )  # fmt: skip
    assert (job["unique_key"], job["concurrency_key"]) == ("only one", "ada")
    assert (job["depends_on"], job["tags"]) == ([first], ["a", "b"])
    page.locator("#send").click()
    expect(page.locator("#sent li").first).to_contain_text("was there already")
    lasting_dashboard.system.client.post(f"/jobs/{job['id']}/cancel", json={})


def test_a_form_is_filled_in_from_another_job_and_says_from_which(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    job = system.submit("ship", PAYLOAD, queue="mail", priority=4, tags=["eu"], timeout="1m")
    page = lasting_dashboard.open(f"/ui/submit?from={job}")
    expect(page.locator("#origin")).to_contain_text(f"Filled in from job {job}")
    expect(page.locator("#type")).to_have_value("ship")
    expect(page.locator("#payload-speed option:checked")).to_have_text("fast")
    body = sent(page)
    assert body["payload"] == PAYLOAD
    assert (body["queue"], body["priority"], body["timeout"]) == ("mail", 4, "60")
    assert body["tags"][0] == "eu"
    page.locator("#payload-speed").select_option("slow")
    page.locator("#send").click()
    expect(page.locator("#sent li")).to_have_count(1)
    again = newest(lasting_dashboard)
    assert again["id"] != job
    assert again["payload"] == PAYLOAD | {"speed": "slow"}


def test_a_look_at_another_type_throws_nothing_away(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#payload-to-street").fill("Ring 1")
    page.locator("#payload-parcels-add").click()
    page.locator("#payload-parcels-0-weight_kg").fill("3")
    page.locator("#options summary").click()
    page.locator("#option-queue").fill("mail")
    body = sent(page)
    page.locator("#type").select_option("sum_range")
    page.locator("#as-json").click()
    page.locator("#payload-json").fill('{"n": 77')
    page.locator("#type").select_option("ship")
    expect(page.locator("#payload-to-street")).to_have_value("Ring 1")
    assert sent(page) == body
    page.locator("#type").select_option("sum_range")
    expect(page.locator("#payload-json")).to_have_value('{"n": 77')


def test_nothing_is_chosen_that_nobody_has_chosen(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=agree")
    assert sent(page)["payload"] == {}
    page.locator("#send").click()
    for name in ("terms", "plan"):
        expect(page.locator(f"#payload-{name}-problem")).to_have_text("is required")
    page.locator("#payload-terms").select_option("false")
    page.locator("#payload-plan").select_option(label="fast")
    assert sent(page)["payload"] == {"terms": False, "plan": "fast"}


def test_the_button_keeps_the_focus_when_a_job_is_sent(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=sum_range")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    intercept(page, "**/jobs", hold)
    page.locator("#payload-n").fill("1")
    page.locator("#send").press("Enter")
    expect(page.locator("#send")).to_be_disabled()
    page.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen)))")
    expect(page.locator("body")).to_be_focused()
    wait_until_held(page, held)
    held.pop().continue_()
    expect(page.locator("#sent li")).to_have_count(1)
    expect(page.locator("#send")).to_be_focused()


@pytest.mark.parametrize("width", variants([360, 1280], 360))
def test_axe_finds_nothing_in_any_state_and_a_phone_never_scrolls_sideways(
    lasting_dashboard: Dashboard, width: int
) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#options summary").click()
    page.locator("#payload-parcels-add").click()
    page.locator("#payload-labels-add").click()
    page.locator("#payload-note-toggle").click()
    page.locator("#payload-note-replies-add").click()
    page.locator("#send").click()
    page.locator("#payload-to-street-problem").wait_for()
    page.set_viewport_size({"width": width, "height": 740})
    examine(page)
    page.locator("#as-json").click()
    examine(page)


def test_a_command_is_a_job_type_too(lasting_dashboard: Dashboard) -> None:
    shown = opened(lasting_dashboard, "type=say")
    shown.locator("#payload-word-0").fill("hello")
    shown.locator("#payload-times-kind").select_option(label="number")
    shown.locator("#payload-times-1").fill("2.0")
    shown.keyboard.press("Enter")
    expect(shown.locator("#sent")).to_contain_text("done")
    assert newest(lasting_dashboard)["payload"] == {"word": "hello", "times": 2.0}
