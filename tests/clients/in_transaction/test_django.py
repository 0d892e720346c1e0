"""Connections of Django: its wrapper opens the driver's connection, and holds it."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus import AsyncClient, Client
from tests.clients.in_transaction.conftest import Jobs


class Wrapper:
    """What a client sees of `django.db.connection`."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.connection: Any = None

    def ensure_connection(self) -> None:
        if self.connection is None:
            self.connection = self._connect()


def test_a_job_is_part_of_the_transaction_of_django(
    connect: Callable[..., Any], jobs: Jobs
) -> None:
    django = Wrapper(connect)
    client = Client(connection=django)
    job = client.submit(jobs.new())
    assert jobs.ids() == []
    django.connection.commit()
    assert jobs.ids() == [job.id]
    client.submit(jobs.new())
    django.connection.rollback()
    django.connection = None  # as its close() leaves it: the next use opens another
    again = client.submit(jobs.new())
    django.connection.commit()
    assert jobs.ids() == [job.id, again.id]


def test_one_to_another_database_is_refused_and_so_is_one_in_a_client_with_await() -> None:
    django = Wrapper(lambda: None)
    with pytest.raises(TypeError, match="is not asynchronous: use Client"):
        AsyncClient(connection=django)
    django.connection = object()
    with pytest.raises(TypeError, match="is no connection of psycopg 3, and none of Django"):
        Client(connection=django).submit("add")
