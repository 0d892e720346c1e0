"""GET /config: which settings of the file an operator has overruled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.storage import state_files


def test_a_setting_that_an_operator_has_overruled_says_so(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "orpheus.toml"
    path.write_text('[queues.held]\npaused = true\n[queues."a.b"]\nmax_running = 1\n')
    editor = ConfigurationFile(path, [], {}, state_files(f"sqlite:///{path.parent}/o.db"))
    api = start(configuration=lambda: editor)

    def notes() -> dict[str, str]:
        settings = api.client.get("/config").json()["settings"]
        return {one["key"]: one["note"] for one in settings if one["note"] is not None}

    assert notes() == {}
    api.store.queues.pause("held")
    assert notes() == {}, "both say the same"
    api.store.queues.resume("held")
    api.store.queues.pause("a.b")
    by_hand = "which counts more than the file."
    assert notes() == {
        "queues.held.paused": f"Queue held stays open: an operator has resumed it, {by_hand}",
        'queues."a.b".paused': f"Queue a.b stays paused: an operator has paused it, {by_hand}",
    }
