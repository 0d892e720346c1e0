"""The configuration of the project under test, on a database in a temporary folder."""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from orpheus.client.settings import DatabaseSettings
from orpheus.config.handovers import for_database, for_worker
from orpheus.config.load import load_settings
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover

_FILE = """\
# Written by orpheus.testing, for clients of the application under test.
[database]
url = "{url}"
durability = "process"

[api]
max_body = {max_body}
max_batch_body = {max_batch_body}

[jobs]
max_retries = {max_retries}
timeout = {timeout}
"""


class HarnessSettings(msgspec.Struct, frozen=True):
    """The settings that the harness uses."""

    client: DatabaseSettings
    worker: WorkerHandover
    stored: StoredSettings

    def write(self, file: Path) -> Path:
        """Write a configuration file for this database and return its path."""
        client = self.client
        text = _FILE.format(
            url=client.storage.url,
            max_body=client.max_body_bytes,
            max_batch_body=client.max_batch_body_bytes,
            max_retries=client.defaults.max_retries,
            timeout=client.defaults.timeout_s,
        )
        file.write_text(text, encoding="utf-8")
        return file


def harness_settings(config: str | os.PathLike[str] | None, folder: Path) -> HarnessSettings:
    """Return the settings for a harness whose database is in `folder`.

    `config`: a path, or None for the file that the command line would use. Retries wait exactly as
    long as is configured, without jitter, so that a test knows when they come. Raises
    ConfigurationError, which lists every problem.
    """
    sets = [
        f"database.url=sqlite:///{folder}/orpheus.db",
        'database.state_dir=""',
        'database.listen_url=""',
        "jobs.backoff_jitter=0",
        'api.token_file=""',  # tests may run where the real token file is missing
        "api.host=127.0.0.1",
        "programs=[]",  # not started in tests, so their files may be missing
        "outboxes=[]",
    ]
    settings = load_settings(None if config is None else Path(config), sets, os.environ)
    worker = for_worker(settings, next(iter(settings.pools)))
    storage = replace(worker.storage, durable=False, pools={})
    client = DatabaseSettings(
        storage,
        worker.defaults,
        settings.api.max_body,
        settings.api.max_batch_body,
        settings.heartbeats.timeout,
        settings.jobs.waits_long,
    )
    return HarnessSettings(client, replace(worker, storage=storage), for_database(settings))
