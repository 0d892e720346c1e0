"""The site and llms.txt have every page. tests/browser/test_docs_site.py builds the site."""

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {str(page.relative_to(DOCS)) for page in [*DOCS.glob("*.md"), DOCS / "adr" / "README.md"]}


def test_every_page_has_its_place_once() -> None:
    nav = tomllib.loads((DOCS / "zensical.toml").read_text())["project"]["nav"]
    listed = [page for section in nav for pages in section.values() for page in pages]
    assert sorted(listed) == sorted(PAGES)


def test_llms_txt_has_a_sentence_about_every_page() -> None:
    links = re.findall(r"^- \[.+\]\((.+?)\): .+\w", (DOCS / "llms.txt").read_text(), re.MULTILINE)
    assert sorted(links) == sorted(PAGES)


def test_no_page_links_to_a_file_that_the_site_does_not_have() -> None:
    """Write such a path as code: `CHANGELOG.md`."""
    outward = re.compile(r"\]\(\.\./[^)]*\)")
    assert {page: outward.findall((DOCS / page).read_text()) for page in PAGES} == {
        page: [] for page in PAGES
    }
