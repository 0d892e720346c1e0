"""What an operator has set outlives a reload, unless the file says another number."""

from orpheus.config.settings import Pool, Settings
from orpheus.supervisor.plan.configuration import Configuration


def test_a_scaled_pool_keeps_its_size_until_the_configured_number_of_workers_changes() -> None:
    configuration = Configuration(Settings(pools={"default": Pool(workers=2)}), None, "")
    configuration.scale("default", 3)
    configuration.adopt(Settings(pools={"default": Pool(workers=2, max_age=3600)}), None, "")
    assert configuration.workers_of("default") == 3
    configuration.adopt(Settings(pools={"default": Pool(workers=1, max_age=3600)}), None, "")
    assert configuration.workers_of("default") == 1
