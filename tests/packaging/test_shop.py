"""The shop of examples/shop on a real Orpheus: no order is lost, and none is mailed twice."""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from tests.machine import freeze
from tests.packaging.installed import ROOT, Installed, serving
from tests.packaging.test_application import ended

pytestmark = pytest.mark.xdist_group("packaging")

ORDERS = 12
THANKS, SHIPPED = "Thank you for your order", "Your order is on its way"
PICTURE = b"P6 256 256 255\n" + bytes(range(256)) * 768


@pytest.fixture
def shop(application: Installed, tmp_path: Path) -> Installed:
    """The example, copied, with its database made as its README says."""
    copy = Installed(tmp_path / "shop", application.environment)
    shutil.copytree(ROOT / "examples" / "shop", copy.folder)
    run = copy.run(copy.python, "database.py")
    assert run.returncode == 0, run.stderr
    return copy


@contextmanager
def open_for_business(
    shop: Installed, wait_for: Callable[..., Any]
) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """Run Orpheus and the shop's website; yield a client of each."""
    orpheus: list[Path | str] = [shop.orpheus, "--set", "api.port=0"]
    orpheus += ["--set", "pools.default.workers=1"]
    web: list[Path | str] = [shop.python, "-m", "uvicorn", "api:app", "--port", "0"]
    with (
        serving(shop, orpheus, shop.folder / "orpheus.log", wait_for) as url,
        httpx2.Client(base_url=url, timeout=40, trust_env=False) as jobs,
    ):
        wait_for(lambda: jobs.get("/readyz").status_code == 200, "readiness")
        with (
            # It ends itself by the signal that it was sent.
            serving(shop, web, shop.folder / "web.log", wait_for, -signal.SIGTERM) as site,
            httpx2.Client(base_url=site, timeout=40, trust_env=False) as website,
        ):
            yield jobs, website


def rows(shop: Installed, query: str) -> list[Any]:
    """Return what a statement finds in the shop's database."""
    connection = apsw.Connection(str(shop.folder / "data" / "shop.db"))
    try:
        connection.set_busy_timeout(500)
        return list(connection.execute(query))
    finally:
        connection.close()


def jobs_of(jobs: httpx2.Client, type: str) -> list[Any]:
    return list(jobs.get("/jobs", params={"type": type, "limit": 500}).json()["items"])


def kill_while_mails_are_sent(shop: Installed, jobs: httpx2.Client) -> None:
    """Kill the worker of the mails when it has sent some whose jobs it has not yet reported.

    It is stopped before we look, so that it is in the middle when it is killed.
    """
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        slots = {one["slot"]: one["pid"] for one in jobs.get("/workers").json()["items"]}
        freeze(slots["mail-1"])
        try:
            [(sent,)] = rows(shop, "SELECT count(*) FROM mails")
        except apsw.BusyError:  # it was stopped while it commits
            sent = 0
        done = sum(one["status"] == "done" for one in jobs_of(jobs, "send_mail"))
        if sent > done:
            os.kill(slots["mail-1"], signal.SIGKILL)
            return
        os.kill(slots["mail-1"], signal.SIGCONT)
    pytest.fail("no mail was sent")


def order(website: httpx2.Client, customer: int) -> int:
    body = {"customer": f"customer-{customer}@example.com", "product": "tea-pot"}
    answer = website.post("/orders", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["order"])


def test_a_killed_worker_loses_no_order_and_sends_no_mail_twice(
    shop: Installed, wait_for: Callable[..., Any]
) -> None:
    with open_for_business(shop, wait_for) as (jobs, website):
        head = {"Content-Type": "image/x-portable-pixmap"}
        assert website.put("/pictures/tea-pot", content=PICTURE, headers=head).status_code == 202
        with ThreadPoolExecutor(4) as customers:
            orders = customers.map(lambda customer: order(website, customer), range(ORDERS))
            kill_while_mails_are_sent(shop, jobs)
        expected = {"send_mail": 2 * ORDERS, "ship_order": ORDERS, "make_thumbnail": 2}
        total = sum(expected.values())
        wait_for(lambda: jobs.get("/stats").json()["counts"]["done"] >= total, "all jobs done")
        assert {name: len(jobs_of(jobs, name)) for name in expected} == expected

        mails = rows(shop, "SELECT key, order_id, subject FROM mails")
        wanted = Counter((number, subject) for number in orders for subject in (THANKS, SHIPPED))
        assert Counter((number, subject) for _, number, subject in mails) == wanted
        sent_by = {f"job-{one['id']}": one for one in jobs_of(jobs, "send_mail")}
        assert {key: sent_by[key]["payload"]["order"] for key, _, _ in mails} == {
            key: number for key, number, _ in mails
        }
        again = [one for one in sent_by.values() if not one["result"]["is_new"]]
        assert again, "the killed worker had sent mails"
        attempts = jobs.get(f"/jobs/{again[0]['id']}").json()["attempts"]
        # Lost: it had run, but was killed before it could say so.
        assert attempts[0]["outcome"] in ("crashed", "lost")
        assert attempts[-1]["outcome"] == "succeeded"

        assert rows(shop, "SELECT count(*) FROM orpheus_outbox") == [(0,)]
        assert rows(shop, "SELECT count(*) FROM orders WHERE shipped_at IS NULL") == [(0,)]
        assert website.get("/pictures/tea-pot/64").content.startswith(b"\x89PNG")

        rows(shop, "UPDATE orders SET ordered_at = datetime('now', '-1 day')")
        report = ended(jobs, jobs.post("/schedules/nightly/run").json()["id"])
        assert report["result"] == {"tea-pot": ORDERS}
        [written] = (shop.folder / "data" / "reports").iterdir()
        assert written.read_text() == f"product,count\ntea-pot,{ORDERS}\n"


def test_the_outbox_in_the_schema_is_the_one_that_the_command_prints(shop: Installed) -> None:
    printed = shop.run(shop.orpheus, "outbox", "schema", "sqlite").stdout
    assert printed
    assert (shop.folder / "schema.sql").read_text(encoding="utf-8").endswith(printed)
