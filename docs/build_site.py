"""Builds the documentation as a site in docs/site: `uv run --group docs python docs/build_site.py`.

Stops at a link or an anchor that leads nowhere. The site loads nothing from other hosts, and its
search also works when a page is opened as a file.
"""

import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent
SITE = DOCS / "site"


def main() -> None:
    """Build the site, and copy each page as it is written beside it: llms.txt links to these."""
    zensical = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "--clean"]
    subprocess.run([*zensical, "--config-file", str(DOCS / "zensical.toml")], check=True)
    for page in [*DOCS.glob("*.md"), *DOCS.glob("adr/*.md")]:
        shutil.copy(page, SITE / page.relative_to(DOCS))


if __name__ == "__main__":
    main()
