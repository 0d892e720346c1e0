"""The snippets of docs/clients.md about the application's transaction run as they are written."""

import re
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.storage import Store

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SNIPPETS = [
    snippet
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    if "connection=" in snippet
]
ADDRESS = "://shop@db.example/shop"


@pytest.mark.parametrize(
    ("snippet", "path"), [*zip(SNIPPETS, ("/shop/a.png", "/shop/b.png"), strict=True)]
)
def test_a_documented_transaction_has_its_job(
    snippet: str, path: str, application_url: str, store: Store
) -> None:
    assert ADDRESS in snippet
    code = snippet.replace(ADDRESS, application_url.removeprefix("postgresql"))
    names: dict[str, Any] = {}
    exec(compile(code, "docs/clients.md", "exec"), names)
    found = store.jobs.page(JobFilter(type="resize"), 10)
    assert [job.id for job in found if job.payload == f'{{"path":"{path}"}}']
    if "engine" in names:
        names["engine"].dispose()
