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
THANKS = "Thank you for your order"
INVOICE, SHIPPED = "Your invoice", "Your order is on its way"
REFUSED = "We cannot take your order"
DEADLY = """
import contextlib
import os
import signal
import sys
from pathlib import Path

import jobs
import partners

FUNCTIONS = [jobs.fulfil_order, jobs.is_approved, jobs.price]
FUNCTIONS += [partners.charge, partners.refund, partners.ship]
LINES = [
    (code, line)
    for code in (function.__code__ for function in FUNCTIONS)
    for line in sorted({line for *_, line in code.co_lines() if line} - {code.co_firstlineno})
]


def at_line(frame, event, _argument):
    order = frame.f_locals.get("order")
    code, line = LINES[(order - 1) // 2 % len(LINES)]
    if event == "line" and (frame.f_code, frame.f_lineno) == (code, line):
        with contextlib.suppress(FileExistsError):
            Path("killed", f"{order} {code.co_name} {line}").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return at_line


CODES = {code for code, _ in LINES}


@contextlib.contextmanager
def lines_kill(ctx):
    sys.settrace(lambda frame, *_: at_line if frame.f_code in CODES else None)
    try:
        yield
    finally:
        sys.settrace(None)


if __name__ == "__main__":
    for code, line in LINES:
        print(code.co_name, line)
"""
"""Kills the worker when an order comes to a line, once: two orders for each line."""
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
    shop: Installed, wait_for: Callable[..., Any], *settings: str
) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """Run Orpheus and the shop's website; yield a client of each."""
    orpheus: list[Path | str] = [shop.orpheus, "--set", "api.port=0"]
    orpheus += [f"--set={setting}" for setting in settings or ("pools.default.workers=1",)]
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


def order(website: httpx2.Client, customer: int, count: int = 1) -> int:
    body = {"customer": f"customer-{customer}@example.com", "product": "tea-pot", "count": count}
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
        expected = {"send_mail": 3 * ORDERS, "fulfil_order": ORDERS, "make_thumbnail": 2}
        total = sum(expected.values())
        wait_for(lambda: jobs.get("/stats").json()["counts"]["done"] >= total, "all jobs done")
        assert {name: len(jobs_of(jobs, name)) for name in expected} == expected

        mails = rows(shop, "SELECT key, order_id, subject FROM mails")
        subjects = THANKS, INVOICE, SHIPPED
        wanted = Counter((number, subject) for number in orders for subject in subjects)
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
        once = [(number,) for number in range(1, ORDERS + 1)]
        assert rows(shop, "SELECT order_id FROM payments ORDER BY 1") == once
        assert rows(shop, "SELECT order_id FROM parcels ORDER BY 1") == once
        assert website.get("/pictures/tea-pot/64").content.startswith(b"\x89PNG")

        rows(shop, "UPDATE orders SET ordered_at = datetime('now', '-1 day')")
        report = ended(jobs, jobs.post("/schedules/nightly/run").json()["id"])
        assert report["result"] == {"tea-pot": ORDERS}
        [written] = (shop.folder / "data" / "reports").iterdir()
        assert written.read_text() == f"product,count\ntea-pot,{ORDERS}\n"


def test_a_worker_killed_at_every_line_charges_and_ships_each_order_once(
    shop: Installed, wait_for: Callable[..., Any]
) -> None:
    (shop.folder / "deadly.py").write_text(DEADLY)
    (shop.folder / "killed").mkdir()
    lines = shop.run(shop.python, "deadly.py").stdout.splitlines()
    assert len(lines) > 30
    settings = (
        *("pools.default.workers=2", "jobs.around=['deadly:lines_kill']", "jobs.backoff_base=0"),
        *("jobs.quarantine_after=0", "supervisor.crash_loop_failures=1000000"),
        "supervisor.restart_backoff_max=0.1",
    )
    approved, refused = range(1, 2 * len(lines), 2), range(2, 2 * len(lines) + 1, 2)
    with open_for_business(shop, wait_for, *settings) as (jobs, website):
        for number in range(1, 2 * len(lines) + 1):
            assert order(website, number, count=21) == number
        for number in range(1, 2 * len(lines) + 1):
            body = {"approved": number in approved}
            assert website.put(f"/orders/{number}/approval", json=body).status_code == 202
        wait_for(
            lambda: (
                [job["status"] for job in jobs_of(jobs, "fulfil_order")]
                == ["done"] * 2 * len(lines)
            ),
            "all orders done",
            240,
        )
    killed = [path.name.split(" ", 1) for path in (shop.folder / "killed").iterdir()]
    missed = {*lines} - {line for _, line in killed}
    assert sorted(line.split()[0] for line in missed) == ["is_approved"] * 2, "the timeout alone"
    cents = 21 * 25_00
    charged = [(number, cents) for number in (*approved, *refused)]
    paid = rows(shop, "SELECT order_id, amount, requests FROM payments")
    assert sorted((number, amount) for number, amount, _ in paid) == sorted(
        [*charged, *((number, -cents) for number in refused)]
    )
    parcels = rows(shop, "SELECT order_id, requests FROM parcels ORDER BY 1")
    assert [number for number, _ in parcels] == [*approved]
    assert max(requests for *_, requests in paid) == 2, "killed between the effect and the commit"
    assert max(requests for *_, requests in parcels) == 2
    mails = Counter(rows(shop, "SELECT order_id, subject FROM mails"))
    assert mails == {
        **{(number, THANKS): 1 for number in (*approved, *refused)},
        **{(number, subject): 1 for number in approved for subject in (INVOICE, SHIPPED)},
        **{(number, REFUSED): 1 for number in refused},
    }


def test_the_outbox_in_the_schema_is_the_one_that_the_command_prints(shop: Installed) -> None:
    printed = shop.run(shop.orpheus, "outbox", "schema", "sqlite").stdout
    assert printed
    assert (shop.folder / "schema.sql").read_text(encoding="utf-8").endswith(printed)
