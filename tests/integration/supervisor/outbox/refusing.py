"""What an outbox in any database does with rows that are no valid jobs."""

from orpheus import outbox
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
