"""What an application imports is in the wheel: the clients, and what its tests use."""

import pytest

from tests.packaging.installed import Installed

pytestmark = pytest.mark.xdist_group("packaging")

CODE = """
from importlib.metadata import entry_points
from orpheus import AsyncClient, Client
from orpheus.testing import Harness, run
from shop_jobs import invoice

[plugin] = entry_points(group="pytest11", name="orpheus")
assert plugin.value == "orpheus.pytest_plugin"
assert run(invoice, "Ada", cents=100).result["cents"] > 100
with Harness(modules=["shop_jobs"]) as harness:
    job = harness.submit(invoice.new("Ada", cents=100), delay="1h")
    with Client(config=harness.config) as client:
        assert client.get(job).status == "pending"
    harness.advance("1h")
    print(harness.get(job).status)
"""


def test_an_application_submits_its_jobs_and_tests_them(application: Installed) -> None:
    done = application.run(application.python, "-c", CODE)
    assert (done.stdout, done.stderr) == ("done\n", "")
