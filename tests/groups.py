"""Keeps the tests of a group (`xdist_group`) in one process of a run.

pytest-xdist 3.8 writes the group into an attribute that pytest has not read since 9.2. Without the
group in the ids that a process of the run sends to its parent, each process would start all that
the tests of a group share.
"""

from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(wrapper=True)
def pytest_collection_finish(session: pytest.Session) -> Iterator[None]:
    """Let the ids end with the group while pytest-xdist sends them; nothing else sees that."""
    ids = {item: item._id for item in session.items if item.get_closest_marker("xdist_group")}
    for item in ids:
        item._id = NodeId.parse(_with_group(item))
    yield
    for item, plain in ids.items():
        item._id = plain


def _with_group(item: pytest.Item) -> str:
    """Return the id as `--dist=loadgroup` reads it."""
    groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
    ending = f"@{'_'.join(groups)}"
    return item.nodeid if item.nodeid.endswith(ending) else item.nodeid + ending
