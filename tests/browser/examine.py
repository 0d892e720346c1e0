"""Asks axe whether everyone can read a page, in both schemes."""

from axe_playwright_python.base import AXE_SCRIPT, AxeResults  # type: ignore[import-untyped]
from playwright.sync_api import Page

_VIOLATIONS = {"resultTypes": ["violations"]}
_COLOURS = {"runOnly": ["color-contrast"], **_VIOLATIONS}
# All else that axe returns, to hand it over takes as long as to find it.
_RUN = "(options) => axe.run(options).then(({ violations }) => ({ violations }))"


def examine(page: Page, state: str = "") -> None:
    """Find nothing, of the second scheme only in what depends on colours: the rest is as it was.

    And nothing may make the page wider than its window.
    """
    if not page.evaluate("'axe' in window"):  # it has half a megabyte
        page.evaluate(AXE_SCRIPT)
    for scheme, options in (("light", _VIOLATIONS), ("dark", _COLOURS)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        results = AxeResults(page.evaluate(_RUN, options))
        where = f"{page.url} {state} ({scheme})"
        assert results.violations_count == 0, f"{where}\n{results.generate_report()}"
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{page.url} {state}"
