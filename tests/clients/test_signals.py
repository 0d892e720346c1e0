"""Signal handlers that use the client whose call they interrupted, or fork in the middle of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.shared.storage import open_store
from tests.api.conftest import ADD, STRICT
from tests.clients.conftest import write_config
from tests.databases import make_database
from tests.machine import PATIENCE_S

SUBMITTING = """
import json, os, random, signal, sys
from orpheus import Client
from orpheus.client import DatabaseUnusable, TransitionRefused

where, what, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = Client(config=where)
parent, children, endings, acknowledged, refused, handled = os.getpid(), [], [], [], [], 0

def on_alarm(*_):
    global handled
    handled += 1
    {"submit": submit, "fork": fork, "fork and return": fork_and_return}[what]()
    if what == "submit":
        again()

def again():
    if handled < rounds:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.003))

def submit():
    try:
        acknowledged.append(client.submit("add", tags=["inner"]).id)
    except RuntimeError as error:
        refused.append(str(error))

def fork():
    if fork_and_return():
        return
    try:
        if client.submit("add").id:
            os._exit(0)
    except DatabaseUnusable as error:
        os._exit(2 if "was forked from" in str(error) else 1)
    finally:
        os._exit(1)

def fork_and_return():
    child = os.fork()
    if child:
        children.append(child)
    else:
        children.clear()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # ends one that hangs
    return child

signal.signal(signal.SIGALRM, on_alarm)
client.submit("add", unique_key="held")
signal.setitimer(signal.ITIMER_REAL, 0.001)
n = 0
while handled < rounds:
    n += 1
    try:
        if n % 3:
            acknowledged.append(client.submit("add").id)
        else:
            client.submit("strict", {"n": 1}, unique_key="held")  # fails in its transaction
    except TransitionRefused:
        pass
    except RuntimeError as error:
        refused.append(str(error))
    if os.getpid() != parent:
        sys.exit(2 if refused and "forked inside of this call" in refused[-1] else 0)
    if children:
        endings.append(os.waitstatus_to_exitcode(os.waitpid(children.pop(), 0)[1]))
        again()
print(json.dumps({"acknowledged": acknowledged, "refused": refused, "endings": endings}))
"""

FORKED_IN_A_COMMIT = """
import os, sys
from orpheus import Client
from orpheus.client import OrpheusError
from orpheus.shared.storage.{backend} import {module}

client = Client(config=sys.argv[1])
client.submit("add")

def fork(name):
    global child
    {module}.program_failpoint = lambda name: None
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0

{module}.program_failpoint = fork
try:
    print(client.submit("add").id, flush=True)
except RuntimeError as error:
    print(error, flush=True)
try:
    print(client.submit("add").id, flush=True)
except OrpheusError as error:
    print(error, flush=True)
"""

FORKED_IN_A_HANDSHAKE = """
import os, sys
import psycopg.waiting
from orpheus import Client

class Selector(psycopg.waiting.DefaultSelector):
    def select(self, timeout=None):
        global child
        if child is None:
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
        return super().select(timeout)

child = None
psycopg.waiting.DefaultSelector = Selector
client = Client(config=sys.argv[1])
for _ in range(2):
    try:
        print(client.submit("add").id, flush=True)
    except RuntimeError as error:
        print(error, flush=True)
"""


IN_USE = "the client is in use by the call that was interrupted"


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind, with the job types `add` and `strict`."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/data/orpheus.db"
        make_database(url)
    else:
        url = str(request.getfixturevalue("postgresql_url"))
    store = open_store(url, state_dir=f"{tmp_path}/state")
    store.types.replace([ADD, STRICT])
    store.close()
    return url


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    return write_config(tmp_path / "orpheus.toml", url, f'state_dir = "{tmp_path}/state"\n')


def run(code: str, *arguments: object) -> str:
    """Return what a program of its own prints."""
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as ran:
        try:
            printed, _ = ran.communicate(timeout=2 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(ran.pid, signal.SIGKILL)
            pytest.fail("it hangs")
    assert ran.returncode == 0
    return printed


def with_failpoint(code: str, url: str) -> str:
    """Return a program that names the module whose failpoint is passed in each commit."""
    module = "connection" if url.startswith("sqlite") else "database"
    backend = "sqlite" if url.startswith("sqlite") else "postgres"
    return code.replace("{backend}", backend).replace("{module}", module)


BACKENDS = ("sqlite", "postgresql")
WHATS = ("submit", "fork", "fork and return")


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("url", BACKENDS, indirect=True)
def test_a_handler_that_interrupts_a_call_takes_nothing_from_it(
    url: str, config: Path, tmp_path: Path, what: str
) -> None:
    rounds = 400 if what == "submit" else 40
    said = json.loads(run(SUBMITTING, config, what, rounds))
    store = open_store(url, state_dir=f"{tmp_path}/state")
    ids = said["acknowledged"]
    assert len(ids) == len(set(ids))
    assert all(store.jobs.get(id) for id in ids)
    assert store.maintenance.verify() == []
    store.close()
    assert set(said["refused"]) == ({IN_USE} if what == "submit" else set())
    refused = 2 if what == "fork and return" or url.startswith("sqlite") else 0
    assert refused in said["endings"] or what == "submit"
    assert set(said["endings"]) <= {0, refused}


@pytest.mark.parametrize("url", BACKENDS, indirect=True)
def test_a_child_that_is_forked_in_a_commit_leaves_it_to_its_parent(
    url: str, config: Path, tmp_path: Path
) -> None:
    code = with_failpoint(FORKED_IN_A_COMMIT, url)
    of_child, second, *of_parent = run(code, config).splitlines()
    assert "forked inside of this call" in of_child
    if url.startswith("sqlite"):
        assert "was forked from one that has" in second
        assert of_parent == ["2", "3"]
    else:
        assert [second, *of_parent] == ["3", "2", "4"]
    store = open_store(url, state_dir=f"{tmp_path}/state")
    assert len(store.maintenance.verify()) == 0
    assert sum(store.stats.counts().values()) == max(map(int, of_parent))
    store.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_child_that_is_forked_while_a_connection_is_opened_leaves_that_to_its_parent(
    url: str, config: Path
) -> None:
    of_child, *ids = run(FORKED_IN_A_HANDSHAKE, config).splitlines()
    assert "forked inside of this call" in of_child
    assert ids == ["1", "2", "3"]
