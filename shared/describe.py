"""The job types of the configured modules, as a child process tells them.

User code runs in workers alone: a module that hangs or crashes at import must take neither the
supervisor nor the API with it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import ConfigurationError
from shared.storage import TypeRow


def describe_types(source: Path | None, modules: Sequence[str], timeout_s: float) -> list[TypeRow]:
    """What `python -m worker --describe` says of `modules`; `source` is the configuration's file.

    Raises ConfigurationError with what the child said, or if it takes longer than `timeout_s`.
    """
    config = [] if source is None else ["--config", str(source)]
    chosen = f"jobs.modules={json.dumps(list(modules))}"
    argv = [sys.executable, "-m", "worker", "--describe", *config, "--set", chosen]
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        output, errors = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"jobs.modules: importing {', '.join(modules)} took over {timeout_s:g} s"
        ) from None
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        raise ConfigurationError(
            f"jobs.modules: the job types cannot be described (exit code {child.returncode}):\n"
            f"{errors.strip()}"
        )
    return [_type_row(item) for item in json.loads(output)]


def _type_row(item: dict[str, Any]) -> TypeRow:
    return TypeRow(
        name=item["name"],
        schema=json.dumps(item["schema"]),
        max_retries=item["max_retries"],
        timeout_s=item["timeout_s"],
        queue=item["queue"],
        description=item["description"],
    )
