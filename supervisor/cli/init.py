"""Write the files that a new project begins with."""

import os
import shlex
from pathlib import Path
from typing import Any

import click

from orpheus.config.files import is_there
from orpheus.config.sources import config_file
from orpheus.config.toml_text import read_toml
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json

_CONFIGURATION = """\
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
def greet(name: str, *, ctx: Context) -> dict[str, str]:
    """Greet somebody."""
    ctx.log.info("greeting", name=name)  # kept with the attempt, and live on the dashboard
    return {"greeting": f"Hello, {name}!"}
'''
_TEST = '''\
"""Run it with pytest. The fixture `orpheus` is a store of its own, whose clock the test moves."""

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
_MYPY = """\
[mypy]
# Knows the parameters of .new(...). Run mypy where Orpheus is installed.
plugins = orpheus.mypy_plugin
"""
_FILES = {"jobs.py": _JOBS, "test_jobs.py": _TEST}
_MYPY_READS = ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg")
"""Where mypy looks for its settings. It reads one of them only, so a new one could hide another."""
_FIRST = """\
First:          add "jobs" to [jobs] modules of {path}
"""
_NEXT = """\
Start it:       orpheus{config}
Submit a job:   orpheus submit greet name=Ada --wait{config}
Run the tests:  pytest
Check types:    mypy --strict ."""
_PLUGIN = "orpheus.mypy_plugin"
_USUAL_PATH = Path("orpheus.toml")


@click.command()
@for_operator
def init(operator: Operator) -> None:
    """Write a starter orpheus.toml, jobs.py and a test; overwrite nothing.

    The configuration is written where --config or $ORPHEUS_CONFIG says, else to orpheus.toml.
    """
    path = config_file(operator.config, os.environ)
    if operator.config is None and "ORPHEUS_CONFIG" not in os.environ and not is_there(path):
        path = _USUAL_PATH
    option = f" --config {shlex.quote(str(path))}" if operator.config else ""
    done: dict[str, Any] = {"written": [], "kept": []}
    mypy_file = next((name for name in _MYPY_READS if Path(name).exists()), None)
    files = {str(path): _CONFIGURATION.format(config=option), **_FILES}
    if mypy_file is None:
        files["mypy.ini"] = _MYPY
    for name, text in files.items():
        done["written" if _write(name, text) else "kept"].append(name)
    if operator.as_json:
        print_json(done)
        return
    for name in done["kept"]:
        click.echo(f"kept {name}, which was there")
    for name in done["written"]:
        click.echo(f"wrote {name}")
    says_first = str(path) in done["kept"] and not _names_module(path)
    first = _FIRST.format(path=path) if says_first else ""
    click.echo(f"\n{first}{_NEXT.format(config=option)}")
    if mypy_file and _PLUGIN not in Path(mypy_file).read_text(encoding="utf-8", errors="replace"):
        click.echo(f"For mypy, add the plugin {_PLUGIN} to {mypy_file} (docs/jobs.md shows how)")


def _names_module(path: Path) -> bool:
    """Return whether the jobs of jobs.py are among those of a configuration that was there."""
    try:
        return "jobs" in read_toml(path.read_text(encoding="utf-8"))["jobs"]["modules"]
    except (OSError, ValueError, LookupError, TypeError):
        return False  # `orpheus config check` says what is wrong


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
