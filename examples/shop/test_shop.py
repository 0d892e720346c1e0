"""The tests of the shop, without a running Orpheus and without waiting: run them with pytest."""

import struct
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import config
import database
import files
import mail
from api import app, client
from jobs import daily_report, fulfil_order, make_thumbnail, send_mail
from orpheus.testing import Harness, run

RED_AND_BLUE = b"P6 128 2 255\n" + 2 * (64 * b"\xff\0\0" + 64 * b"\0\0\xff")


@pytest.fixture(autouse=True)
def shop(orpheus: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """An empty shop, whose jobs are those of the harness."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mail, "ANSWERS_AFTER_S", 0)
    database.create()
    app.dependency_overrides[client] = lambda: orpheus.client
    return TestClient(app)


def rows(query: str) -> list[Any]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


def order(shop: TestClient, count: int = 1) -> Any:
    body = {"customer": "ada@example.com", "product": "tea-pot", "count": count}
    answer = shop.post("/orders", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["order"]


def test_an_order_is_confirmed(shop: TestClient, orpheus: Harness) -> None:
    number = order(shop)
    orpheus.assert_submitted(send_mail, order=number)
    orpheus.run_until_idle()
    assert rows("SELECT recipient, subject FROM mails") == [
        ("ada@example.com", "Thank you for your order")
    ]


def test_an_order_and_the_job_that_fulfils_it_are_one_commit(shop: TestClient) -> None:
    number = order(shop)
    assert rows("SELECT type, payload FROM orpheus_outbox") == [
        ("fulfil_order", f'{{"order": {number}}}')
    ]


def test_an_order_is_taken_while_orpheus_is_away(shop: TestClient) -> None:
    app.dependency_overrides.clear()  # the real client, and no database of Orpheus
    order(shop)
    assert rows("SELECT type FROM orpheus_outbox") == [("fulfil_order",)]


def test_an_order_is_charged_shipped_and_mailed(shop: TestClient, orpheus: Harness) -> None:
    job = orpheus.submit(fulfil_order.new(order=order(shop)))
    orpheus.advance("1s")  # the queue of the mails has a rate
    assert orpheus.get(job).status == "done"
    assert rows("SELECT amount, requests FROM payments") == [(25_00, 1)]
    assert rows("SELECT requests FROM parcels") == [(1,)]
    orpheus.assert_submitted(send_mail, subject="Your order is on its way")


def test_a_large_order_waits_for_a_person(shop: TestClient, orpheus: Harness) -> None:
    number = order(shop, count=21)
    job = orpheus.submit(fulfil_order.new(order=number))
    orpheus.advance("2d")
    assert orpheus.get(job).status == "blocked"
    shop.put(f"/orders/{number}/approval", json={"approved": False})
    orpheus.run_until_idle()
    assert orpheus.get(job).result == "refused"
    assert rows("SELECT sum(amount) FROM payments") == [(0,)]
    assert rows("SELECT * FROM parcels") == []


def test_an_order_that_nobody_approves_is_refused(shop: TestClient, orpheus: Harness) -> None:
    job = orpheus.submit(fulfil_order.new(order=order(shop, count=21)))
    orpheus.advance("8d")
    assert orpheus.get(job).result == "refused"


def test_an_order_goes_on_where_it_stopped(shop: TestClient) -> None:
    ran = run(fulfil_order.new(order(shop)), steps={"price": 25_00, "charge": "payment-1"})
    assert ran.waits_for == "mails"
    assert [*ran.steps] == ["price", "charge", "ship"]
    assert rows("SELECT * FROM payments") == []


def test_a_mail_is_sent_once_however_often_its_job_runs(shop: TestClient) -> None:
    job = send_mail.new(order(shop), "Hello")
    assert run(job).result == {"is_new": True}
    assert run(job, attempt=2).result == {"is_new": False}
    assert rows("SELECT subject FROM mails") == [("Hello",)]


def test_thumbnails_are_made_of_a_picture(shop: TestClient, orpheus: Harness) -> None:
    head = {"Content-Type": "image/x-portable-pixmap"}
    assert shop.put("/pictures/tea-pot", content=RED_AND_BLUE, headers=head).status_code == 202
    assert shop.get("/pictures/tea-pot/64").status_code == 404
    orpheus.run_until_idle()
    png = shop.get("/pictures/tea-pot/64").content
    assert struct.unpack(">II", png[16:24]) == (64, 1)


def test_what_is_no_picture_is_not_tried_again() -> None:
    files.replace(config.PICTURES / "tea-pot.ppm", b"GIF89a")
    ran = run(make_thumbnail, product="tea-pot", width=64)
    assert ran.is_permanent
    assert ran.error is not None
    assert ran.error.type == "NotAPicture"


def test_the_report_comes_every_night(shop: TestClient, orpheus: Harness) -> None:
    order(shop)
    orpheus.advance("1d")
    [job] = orpheus.jobs(type="daily_report")
    assert job.status == "done"


def test_the_report_counts_what_was_ordered_on_that_day(shop: TestClient) -> None:
    order(shop)
    order(shop)
    [(text,)] = rows("SELECT DISTINCT date(ordered_at) FROM orders")
    day = date.fromisoformat(text)
    assert run(daily_report, day=day).result == {"tea-pot": 2}
    assert (config.REPORTS / f"{day}.csv").read_text() == "product,count\ntea-pot,2\n"
