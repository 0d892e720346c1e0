"""Clients in programs of their own: what is imported, what a fork leaves, what a worker does."""

import json
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from orpheus.shared.storage import open_store
from tests.api.conftest import ADD, Running
from tests.variants import variants

HEAVY = ("pydantic", "fastapi", "starlette", "click", "rich", "httpx2", "apsw")

FORKING = """
import asyncio, os, sys, threading, warnings
warnings.simplefilter("ignore")  # a program that has threads is warned of forks
from orpheus import AsyncClient, Client

kind, where, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = {"config": where} if kind.startswith("database") else {"url": where}
if kind.endswith("awaited"):
    client = AsyncClient(**options)
    submit = lambda: asyncio.run(client.submit("add"))  # each time on another loop
else:
    client = Client(**options)
    submit = lambda: client.submit("add")

submit()
stop = threading.Event()
def work():
    while not stop.is_set():
        submit()
        stop.wait(0.001)
busy = [threading.Thread(target=work) for _ in range(threads)]
for one in busy:
    one.start()
for n in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if len({submit().id for _ in range(3)}) == 3 else 1)
    submit()
    assert os.waitpid(child, 0)[1] == 0
    submit()
stop.set()
for one in busy:
    one.join()
print("all done")
"""

FORGETTING = """
import asyncio, gc, sys
from orpheus import AsyncClient, Client

where = sys.argv[1]
def view(kind):
    if kind == "database":
        return Client(config=where).submit("add").id
    async def handle():
        return (await AsyncClient(config=where).submit("add")).id
    return asyncio.run(handle())

ids = [view(kind) for kind in ("database", "awaited") for _ in range(3)]
gc.collect()  # Python does this by itself, sooner or later
print(ids, flush=True)
for line in sys.stdin:
    print(view(line.strip()), flush=True)
"""

IN_A_CHILD_OF_ONE_THAT_HAS_IT_OPEN = """
import os, sys
from orpheus import Client
from orpheus.client import DatabaseUnusable
from orpheus.shared.storage import open_store

store = open_store(sys.argv[2])
if os.fork() == 0:
    try:
        Client(config=sys.argv[1]).submit("add")
    except DatabaseUnusable as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


def run(code: str, *arguments: object) -> str:
    """Return what a program of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["Client", "AsyncClient"])
def test_a_client_is_imported_without_what_it_may_not_need(name: str) -> None:
    code = f"import json, sys; from orpheus import {name}; print(json.dumps([*sys.modules]))"
    modules = set(json.loads(run(code)))
    assert modules.isdisjoint(HEAVY)
    assert "orpheus.client.database" not in modules
    assert ("asyncio" in modules) is (name == "AsyncClient")


KINDS = [(kind, threads) for kind in ("database", "http") for threads in (0, 3)]
KINDS += [(f"{kind} awaited", 0) for kind in ("database", "http")]


@pytest.mark.parametrize(
    ("kind", "threads"),
    variants(KINDS, *(one for one in KINDS if one not in {("database", 0), ("http", 0)})),
)
def test_a_client_works_on_both_sides_of_a_fork(
    api: Running, config: Path, kind: str, threads: int
) -> None:
    where = config if kind.startswith("database") else f"http://127.0.0.1:{api.port}"
    assert run(FORKING, kind, where, threads) == "all done\n"
    assert api.store.maintenance.verify() == []


def test_a_child_of_a_process_that_has_the_database_open_is_refused(config: Path, url: str) -> None:
    open_store(url, create=True).close()
    said = run(IN_A_CHILD_OF_ONE_THAT_HAS_IT_OPEN, config, url)
    assert "was forked from one that has" in said and "over HTTP" in said


def test_a_process_that_forgets_its_clients_locks_nobody_out(config: Path, url: str) -> None:
    store = open_store(url, create=True)
    store.types.replace([ADD])
    store.close()
    argv = [sys.executable, "-c", FORGETTING, str(config)]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as forgetting:
        assert forgetting.stdin is not None and forgetting.stdout is not None
        assert forgetting.stdout.readline() == "[1, 2, 3, 4, 5, 6]\n"
        store = open_store(url, create=True)
        for kind, id in (("database", "7"), ("awaited", "8")):
            print(kind, file=forgetting.stdin, flush=True)
            assert forgetting.stdout.readline() == f"{id}\n"
        store.close()
        forgetting.stdin.close()
