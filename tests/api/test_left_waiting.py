"""PUT /config says which jobs and schedules a change leaves without a worker, and lets start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.storage import state_files

TEXT = """[pools.default]
queues = ["default", "mail"]
workers = 2

[pools.reports]
queues = ["reports", "tenant"]

[[schedules]]
name = "nightly"
every = 60
type = "add"
queue = "reports"

[queues.mail]
paused = true

[queues.frozen]
paused = true
"""


@pytest.fixture
def told(start: Callable[..., Any], tmp_path: Path) -> Callable[[str, str], list[str]]:
    """Gives the notes of the check of a text, in which one part is another; the save's are such."""
    path = tmp_path / "orpheus.toml"
    path.write_text(TEXT, encoding="utf-8")
    editor = ConfigurationFile(path, [], {}, state_files(f"sqlite:///{path.parent}/o.db"))
    api = start(configuration=lambda: editor, supervised=True)
    for queue, count in {"reports": 4, "tenant": 3, "mail": 1}.items():
        for _ in range(count):
            api.submit(queue=queue)

    def put(old: str, new: str) -> list[str]:
        assert old in TEXT
        body = {"text": TEXT.replace(old, new)}
        headers = {"If-Match": "*"}
        checked = api.client.put("/config?check=true", json=body, headers=headers)
        assert checked.status_code == 200, checked.text
        saved = api.client.put("/config", json=body, headers=headers)
        assert saved.json()["notes"] == checked.json()["notes"]
        path.write_text(TEXT, encoding="utf-8")
        notes: list[str] = checked.json()["notes"]
        return notes

    return put


def test_a_pool_that_goes_leaves_its_jobs_and_its_schedules(
    told: Callable[[str, str], list[str]],
) -> None:
    (note,) = told('[pools.reports]\nqueues = ["reports", "tenant"]\n', "")
    assert note == (
        "No worker will serve the queues reports and tenant: "
        "7 pending jobs and the schedule nightly wait then."
    )


def test_a_pool_without_workers_serves_nothing(told: Callable[[str, str], list[str]]) -> None:
    mail = ["No worker will serve the queue mail: 1 pending job waits then."]
    assert told("workers = 2", "workers = 0") == mail
    assert told('"mail"', '"mial"') == mail


def test_a_schedule_of_a_queue_that_no_pool_serves_is_told(
    told: Callable[[str, str], list[str]],
) -> None:
    assert told('queue = "reports"', 'queue = "reportz"') == [
        "No worker will serve the queue reportz: the schedule nightly waits then."
    ]
    of_its_type = 'type = "strict"\npayload = { n = 1 }'
    assert told('type = "add"\nqueue = "reports"', of_its_type) == [
        "No worker will serve the queue slow: the schedule nightly waits then."
    ]


def test_a_queue_that_opens_is_told_with_how_many_jobs_can_start(
    told: Callable[[str, str], list[str]],
) -> None:
    opens = "Queue mail opens: its 1 pending job can start."
    assert told("[queues.mail]\npaused = true\n", "") == [opens]
    assert told("[queues.frozen]\npaused = true\n", "") == ["Queue frozen opens."]
    both = TEXT[TEXT.index('"mail"') :]
    without = both.replace('"mail"', '"mial"').replace("[queues.mail]\npaused = true\n", "")
    assert told(both, without) == [
        "No worker will serve the queue mail: 1 pending job waits then.",
        "Queue mail opens, but no worker serves it: its 1 pending job cannot start.",
    ]


def test_a_change_that_leaves_nothing_is_told_without_a_word(
    told: Callable[[str, str], list[str]],
) -> None:
    assert told("workers = 2", "workers = 1") == []
    assert told('queues = ["reports", "tenant"]', 'queues = ["*"]') == []
    assert told('"default", ', "") == []
