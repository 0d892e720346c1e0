"""Write the files that a new project begins with."""

import os
import shlex
from pathlib import Path
from typing import Any

import click

from orpheus.config.files import SCHEMA, is_there, schema_of_settings
from orpheus.config.sources import config_file
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json

_CONFIGURATION = """\
#:schema ./orpheus.schema.json
# The settings of this project. `orpheus config show{config}` prints all of them, with defaults.
[database]
url = "sqlite:///data/orpheus.db" # relative to the folder in which Orpheus is started

[jobs]
modules = ["jobs"] # jobs.py, in the folder in which Orpheus is started

# [[schedules]]
# name = "greet-everybody"
# cron = "0 8 * * *"
# type = "greet"
# payload = {{ name = "everybody" }}
"""
_JOBS = '''\
"""The jobs of this project."""

from orpheus import Context, job


@job(max_retries=5, timeout="30s")
def greet(ctx: Context, name: str) -> dict[str, str]:
    """Greet somebody."""
    ctx.log.info("greeting", name=name)  # kept with the attempt, and live on the dashboard
    return {"greeting": f"Hello, {name}!"}
'''
_TEST = '''\
"""Run it with pytest. The fixture `orpheus` is a separate store; the test moves its clock.

Both tests are about the job `greet`: if you replace it in jobs.py, change them with it.
"""

from jobs import greet
from orpheus.testing import Harness, run


def test_greet_returns_a_greeting() -> None:
    ran = run(greet, name="Ada")
    assert ran.result == {"greeting": "Hello, Ada!"}
    assert [line.line for line in ran.logs] == ["greeting"]


def test_a_greeting_may_come_later(orpheus: Harness) -> None:
    job = orpheus.submit(greet.new(name="Ada").with_options(delay="1h"))
    orpheus.run_until_idle()
    assert orpheus.get(job).status == "pending"
    orpheus.advance("1h")
    assert orpheus.get(job).status == "done"
'''
_FILES = {"jobs.py": _JOBS, "test_jobs.py": _TEST}
_NEXT = """\
Start it:       orpheus dev{config}
Submit a job:   orpheus submit greet name=Ada --wait{config}
Run the tests:  pytest
Check types:    mypy --strict ."""
_USUAL_PATH = Path("orpheus.toml")


@click.command()
@for_operator
def init(operator: Operator) -> None:
    """Write a starter orpheus.toml with its schema, jobs.py and a test; overwrite nothing.

    The configuration is written where --config or $ORPHEUS_CONFIG says, else to orpheus.toml.
    """
    path = config_file(operator.config, os.environ)
    if operator.config is None and "ORPHEUS_CONFIG" not in os.environ and not is_there(path):
        path = _USUAL_PATH
    option = f" --config {shlex.quote(str(path))}" if operator.config else ""
    done: dict[str, Any] = {"written": [], "kept": []}
    files = {str(path): _CONFIGURATION.format(config=option), **_FILES}
    files[str(path.with_name(SCHEMA))] = schema_of_settings()
    for name, text in files.items():
        done["written" if _write(name, text) else "kept"].append(name)
    if operator.as_json:
        print_json(done)
        return
    for name in done["kept"]:
        click.echo(f"kept {name}: it already exists")
    for name in done["written"]:
        click.echo(f"wrote {name}")
    click.echo(f"\n{_NEXT.format(config=option)}")
    if str(path) in done["kept"]:
        click.echo(f'"jobs" must be in [jobs] modules of {path}')


def _write(name: str, text: str) -> bool:
    """Write a file unless it is there; return whether it was written."""
    try:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise click.ClickException(f"cannot write {name}: {error.strerror}") from None
    return True
