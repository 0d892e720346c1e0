"""An edit of the configuration file on the machine stands in the audit log."""

from collections.abc import Callable
from typing import Any

from tests.integration.supervisor.configured import Configured

WaitFor = Callable[..., Any]
ONE_WORKER = "[pools.default]\nworkers = 1\n"


def test_an_edit_on_the_machine_is_audited_once_also_one_made_while_orpheus_stood_still(
    configured: Callable[[str], Configured], start_system: Callable[..., Any], wait_for: WaitFor
) -> None:
    running = configured(ONE_WORKER)

    def audited() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = running.system.get("/audit")["items"]
        return items

    running.save(ONE_WORKER + "max_age = '1h'\n")
    wait_for(audited, "the entry")
    [entry] = audited()
    told = entry["by"], entry["action"], entry["target"], entry["before"], entry["after"]
    after = "version 2: pools.default.max_age"
    assert told == ("file", "configure", "configuration", "version 1", after)
    body = {"text": ONE_WORKER + "max_age = '2h'\n"}
    answer = running.system.client.put("/config", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    wait_for(lambda: running.system.log().count("config_reloaded") == 2, "the reload")
    running.save(ONE_WORKER)
    wait_for(lambda: len(audited()) > 2, "the third entry")
    assert [one["by"] for one in audited()] == ["file", "api:127.0.0.1", "file"]
    assert running.system.stop() == 0
    running.save(ONE_WORKER + "max_age = '3h'\n")
    url = f"database.url='sqlite:///{running.system.database}'"
    again = start_system(url, config=running.file)
    again.wait_until_ready()
    wait_for(lambda: len(again.get("/audit")["items"]) > 3, "the entry of the next start")
    [entry, *others] = again.get("/audit")["items"]
    assert (entry["by"], entry["before"], entry["after"]) == ("file", "version 4", "version 5")
    assert len(others) == 3
    assert again.stop() == 0
