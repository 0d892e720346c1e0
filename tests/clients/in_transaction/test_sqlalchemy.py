"""Connections and Sessions of SQLAlchemy: its transaction is the one that the job is part of."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from orpheus import Client
from orpheus.shared.storage import Store
from tests.clients.in_transaction.conftest import Jobs, Orders

ADD_ORDER = text("INSERT INTO orders (queue) VALUES (:queue)")


@pytest.fixture(scope="module")
def engine(application_url: str, store: Store) -> Iterator[Engine]:
    made = create_engine(application_url.replace("postgresql:", "postgresql+psycopg:"))
    yield made
    made.dispose()


@pytest.fixture(params=["connection", "session"])
def made(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Any]:
    """A Connection or a Session, which has executed nothing yet."""
    with engine.connect() if request.param == "connection" else Session(engine) as one:
        yield one


def test_a_job_exists_once_it_is_committed(made: Any, jobs: Jobs, orders: Orders) -> None:
    client = Client(connection=made)
    first = client.submit(jobs.new())
    made.execute(ADD_ORDER, {"queue": jobs.queue})
    more = client.submit_many([jobs.new(), jobs.new()])
    assert (jobs.ids(), orders.count()) == ([], 0)
    made.commit()
    assert (jobs.ids(), orders.count()) == ([first.id, *more], 1)
    again = client.submit(jobs.new())
    made.commit()
    assert jobs.ids() == [first.id, *more, again.id]


def test_a_job_never_exists_if_it_is_rolled_back(made: Any, jobs: Jobs) -> None:
    client = Client(connection=made)
    client.submit(jobs.new())
    made.rollback()
    client.submit(jobs.new())
    made.close()
    assert jobs.ids() == []
