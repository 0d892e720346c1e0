"""The actions of the audit log that its page offers: as many as there are."""

import json
import re
from pathlib import Path

from orpheus.api.dashboard import pages
from orpheus.shared.storage import ACTIONS

DASHBOARD = Path(pages.__file__).parent


def test_the_page_offers_each_action_in_its_select_and_completes_it_in_its_field() -> None:
    template = (DASHBOARD / "templates/audit.html").read_text(encoding="utf-8")
    query = (DASHBOARD / "static/js/audit/audit-query.js").read_text(encoding="utf-8")
    offered = re.search(r"for action in (\[.*?\])", template)
    completed = re.search(r"const ACTIONS = (\[.*?\]);", query)
    assert offered is not None
    assert completed is not None
    assert json.loads(offered[1]) == json.loads(completed[1]) == list(ACTIONS)
