"""What an outbox in any database does with rows that are no valid jobs."""

import pytest

from orpheus import outbox
from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.storage import MOST_REFUSED, Store
from orpheus.supervisor.outbox import drainer
from orpheus.supervisor.outbox.drainer import OutboxSettings
from orpheus.supervisor.outbox.drainers import Drainers
from tests.explained import verdict
from tests.integration.supervisor.outbox.draining import Application, Draining
from tests.machine import wait_until

REFUSED = (
    ("type", "'nothing'", "type: no job type is called 'nothing'"),
    ("type, payload", "'count', '{'", "payload: is not JSON: "),
    ("type, payload", "'count', '{\"n\": 1, \"n\": 2}'", 'payload: is not JSON: the key "n"'),
    ("type, payload", "'count', '[]'", "payload: must be a JSON object"),
    ("type, payload", "'count', '{\"n\": \"1\"}'", "payload.n: "),
    ("type, payload", "'count', '{\"n\": NaN}'", "payload.n: "),
    ("type, payload, queue", "'count', '{\"n\": 1}', 'a b'", "queue: is not a valid name"),
    ("type, payload, queue", "'count', '{\"n\": 1}', ''", "queue: is not a valid name"),
    ("type, payload, priority", "'count', '{\"n\": 1}', 5000", "priority: must be an integer"),
    ("type, payload, tags", "'count', '{\"n\": 1}', 'a,b'", "tags: is not JSON"),
    ("type, payload, tags", "'count', '{\"n\": 1}', '{}'", "tags: must be a list"),
    (
        "type, payload",
        f'\'count\', \'{{"n": 1, "text": "{"x" * 1000}"}}\'',
        "payload: has 1,020 bytes, and api.max_body allows 1,000",
    ),
)
"""Columns and values of rows that are no valid jobs, and why."""


class RefusingTests:
    """The tests; a module of a database inherits them beside `DrainingTests`."""

    def test_rows_that_are_refused_stay_with_their_reasons_and_stop_no_other(
        self, running: Draining, application: Application
    ) -> None:
        with application.transaction() as connection:
            for columns, values, _ in REFUSED:
                outbox.add(connection, "count", {"n": 1})
                sql = f"INSERT INTO orpheus_outbox ({columns}) VALUES ({values})"
                connection.cursor().execute(sql)
        wait_until(lambda: len(application.rows()) == len(REFUSED), "the others to be drained")
        found = application.rows("refused_reason")
        beginnings = [why[: len(one[2])] for why, one in zip(found, REFUSED, strict=True)]
        assert beginnings == [reason for _, _, reason in REFUSED]
        assert all(application.rows("refused_at IS NOT NULL"))
        assert running.numbers() == [1] * len(REFUSED)
        counts = running.store.outboxes.counts()["shop"]
        assert (counts.accepted, counts.refused) == (len(REFUSED), len(REFUSED))

    def test_a_refused_row_is_tried_again_when_it_is_told_to(
        self, running: Draining, application: Application
    ) -> None:
        application.execute("INSERT INTO orpheus_outbox (type) VALUES ('count')")
        line = running.until_logged("outbox_rows_refused")
        assert line["first_id"] == 1
        assert line["reason"] == "payload.n: is required"
        application.execute("UPDATE orpheus_outbox SET payload = '{\"n\": 5}', refused_at = NULL")
        running.until_empty()
        assert running.numbers() == [5]

    def test_refused_rows_are_told_of_until_each_is_corrected_or_deleted(
        self, draining: Draining, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(drainer, "_RECOUNT_S", 0.02)
        application.make_table()
        storage = StorageSettings(draining.database, durable=False, pools={})
        table, defaults = "orpheus_outbox", JobDefaults(3, 900)
        shop = OutboxSettings("shop", application.url, table, 0.02, storage, defaults, 1000)
        drainers = Drainers()

        def told(text: str) -> None:
            wanted = [text] if text else []
            wait_until(lambda: refusals(draining.store) == wanted, text or "nothing to be told")
            assert drainers.trouble() == "", "the supervisor's own slot is well"

        drainers.adopt([shop])
        try:
            application.execute("INSERT INTO orpheus_outbox (type) VALUES ('count')")
            first = "with id 1: payload.n: is required. Correct"
            ending = "and set refused_at to NULL, or delete"
            one = f"Outbox shop: a row was refused, {first} it {ending} it."
            two = f"Outbox shop: 2 rows were refused, the first, {first} them {ending} them."
            told(one)
            application.execute("INSERT INTO orpheus_outbox (type) VALUES ('nothing')")
            told(two)
            drainers.adopt([])
            told(two)
            draining.store.outboxes.keep_refused(())
            told("")
            drainers.adopt([shop])
            told(two)
            application.execute("DELETE FROM orpheus_outbox WHERE id = 2")
            told(one)
            for reason, shown in (
                ("NULL", "no reason is given."),
                (f"'{'x' * 999}'", "x" * 299 + "…"),
            ):
                application.execute(f"UPDATE orpheus_outbox SET refused_reason = {reason}")
                told(one.replace("payload.n: is required.", shown))
            fix = "UPDATE orpheus_outbox SET payload = '{\"n\": 5}', refused_at = NULL"
            application.execute(fix)
            told("")
            wait_until(lambda: application.rows() == [], "the row to be drained")
        finally:
            drainers.stop(30)

    def test_very_many_refused_rows_are_not_all_counted(
        self, draining: Draining, application: Application
    ) -> None:
        application.make_table()
        with application.transaction() as connection:
            for _ in range(MOST_REFUSED + 1):
                sql = "INSERT INTO orpheus_outbox (type, refused_at) VALUES ('count', '2026-01-01')"
                connection.cursor().execute(sql)
        draining.start()
        wait_until(lambda: draining.store.outboxes.refused_now() != {}, "them to be counted")
        (refused,) = draining.store.outboxes.refused_now().values()
        assert refused == (MOST_REFUSED, "1", "no reason is given")


def refusals(store: Store) -> list[str]:
    """What the verdict says of refused rows."""
    concerns = verdict(store).concerns
    return [concern.text for concern in concerns if concern.code == "outbox_rows_refused"]
