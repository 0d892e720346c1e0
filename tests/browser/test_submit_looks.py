"""How the form of a new job looks: where its fields stand, how tall they are, which key submits;
and that it waits for the types."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard


def opened(dashboard: Dashboard, query: str) -> Page:
    page = dashboard.open(f"/ui/submit?{query}")
    expect(page.locator("#curl")).not_to_be_empty()
    return page


def test_fields_begin_at_one_line_a_finger_meets_each_and_the_key_that_submits_is_named(
    lasting_dashboard: Dashboard,
) -> None:
    lasting_dashboard.page.set_viewport_size({"width": 360, "height": 740})
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#example").click()
    field = page.locator("#payload-fields textarea").first
    expect(field).to_be_visible()
    box = field.bounding_box()
    assert box is not None
    assert box["height"] >= 44

    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("#options summary").click()
    fields = page.locator(".field:not(.entry > .field) > :is(input, select, textarea):visible")
    assert fields.count() > 15
    sides = fields.evaluate_all("all => all.map((one) => one.getBoundingClientRect().x)")
    assert max(sides) - min(sides) < 1, "however deep they are"

    page.locator("#type").select_option("sum_range")
    key = page.locator(".buttons .hint")
    expect(key).to_have_text("or Enter")
    page.locator("#as-json").click()
    expect(key).to_have_text("or Ctrl+Enter")
    page.locator("#as-form").click()
    expect(key).to_have_text("or Enter")


def test_nothing_can_be_filled_in_before_the_types_are_there(lasting_dashboard: Dashboard) -> None:
    slow = """
        const real = window.fetch;
        window.fetch = async (path, ...rest) => {
          if (path.includes("/types")) await new Promise((then) => setTimeout(then, 500));
          return real(path, ...rest);
        };
    """
    lasting_dashboard.page.add_init_script(slow)
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    page.locator("#example").click()
    expect(page.locator("#curl")).to_contain_text('{"n":100000}')
