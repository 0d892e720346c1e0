"""One host of several: a whole Orpheus with a name, a folder and a way to the database."""

from pathlib import Path
from typing import Any

import psutil

from tests.chaos.harness import Orpheus, until
from tests.machine import PATIENCE_S
from tests.many_hosts.namespaces import Namespace
from tests.many_hosts.tcp_proxy import TcpProxy

_SETTINGS = {
    "pools.default.workers": "1",
    "supervisor.start_timeout": "30s",  # several hosts start at once
}


class Host(Orpheus):
    """Orpheus as on a host called `name`. What jobs did stands in a file that all hosts share."""

    def __init__(
        self,
        name: str,
        folder: Path,
        url: str,
        settings: dict[str, str],
        namespace: Namespace | None = None,
        **options: Any,
    ) -> None:
        """`url`: how this host reaches the database; `folder`: that of all hosts.

        `namespace`: where it runs; its API is then reached through a proxy.
        """
        self.name = name
        self._way_in = None if namespace is None else TcpProxy(0, namespace.socket)
        if namespace is not None and self._way_in is not None:
            self._way_in.__enter__()
            options["launcher"] = namespace.enter
        own = folder / name
        own.mkdir()
        database = {"database.url": url, "database.state_dir": str(own / "state")}
        super().__init__(
            own,
            {**database, **_SETTINGS, **settings},
            environment={"CHAOS_FOLDER": str(folder), **options.pop("environment", {})},
            program=("tests.named_host", name),
            **options,
        )

    def start(self) -> None:
        """See Orpheus."""
        super().start()
        if self._way_in is not None:
            self._way_in.target = self.port
            self.url = f"http://127.0.0.1:{self._way_in.port}"

    def end(self) -> None:
        """See Orpheus."""
        super().end()
        if self._way_in is not None:
            self._way_in.__exit__()

    def until_ready(self, timeout_s: float = PATIENCE_S) -> None:
        """Until every slot is ready, and is told as it is.

        While a host cannot write, the database still has what it wrote last: the processes of then.
        """
        super().until_ready(timeout_s)

        def lives() -> bool:
            slots = self.workers().values()
            return all(one["pid"] and psutil.pid_exists(one["pid"]) for one in slots)

        until(lives, "its processes to be told", timeout_s)
        super().until_ready(timeout_s)

    def workers(self) -> dict[str, dict[str, Any]]:
        """The slots of this host, by name."""
        return {one["slot"]: one for one in self.all_slots() if one["host"] == self.name}

    def all_slots(self) -> list[dict[str, Any]]:
        """The slots of all hosts, as this one shows them."""
        items: list[dict[str, Any]] = self.get("/workers")["items"]
        return items
