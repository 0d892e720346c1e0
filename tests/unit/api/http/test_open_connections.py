"""Which connections are kept when there are too many clients."""

from hypothesis import given
from hypothesis import strategies as st

from orpheus.api.http.open_connections import OpenConnection, OpenConnections


class Clients:
    """Connections by number, and which of them were closed for others."""

    def __init__(self, most: int, most_refused: int) -> None:
        self._connections = OpenConnections(most, most_refused)
        self.connections: list[OpenConnection] = []
        self.closed: list[int] = []

    def connect(self) -> OpenConnection:
        number = len(self.connections)
        self.connections.append(self._connections.add(lambda: self.closed.append(number)))
        return self.connections[number]

    def close_oldest(self) -> None:
        self._connections.close_oldest()


def test_the_oldest_unknown_client_is_closed() -> None:
    clients = Clients(most=3, most_refused=2)
    connections = [clients.connect() for _ in range(3)]
    connections[0].make_known()
    assert not clients.closed

    assert not clients.connect().is_refused
    assert clients.closed == [1]
    assert not clients.connect().is_refused
    assert clients.closed == [1, 2]


def test_connections_of_known_clients_are_kept_and_the_next_ones_are_refused() -> None:
    clients = Clients(most=2, most_refused=2)
    for connection in (clients.connect(), clients.connect()):
        connection.make_known()
    assert [clients.connect().is_refused for _ in range(2)] == [True, True]
    assert not clients.closed

    assert clients.connect().is_refused
    assert clients.closed == [2]

    clients.connections[0].leave()
    assert not clients.connect().is_refused


def test_a_client_that_was_refused_or_closed_does_not_become_known() -> None:
    clients = Clients(most=1, most_refused=1)
    clients.connect().make_known()
    clients.connect().make_known()
    clients.connect()
    assert clients.closed == [1]
    clients.connections[1].make_known()
    clients.connections[1].leave()
    clients.connections[0].leave()
    assert not clients.connect().is_refused
    assert clients.connect().is_refused is False  # in place of the one before
    assert clients.closed == [1, 3]


@given(st.lists(st.tuples(st.sampled_from(["connect", "know", "leave"]), st.integers(0, 9))))
def test_never_more_are_open_than_may_be(steps: list[tuple[str, int]]) -> None:
    clients = Clients(most=3, most_refused=2)
    known: set[int] = set()
    left: set[int] = set()
    for step, number in steps:
        if step == "connect":
            clients.connect()
        elif number < len(clients.connections):
            connection = clients.connections[number]
            if step == "know":
                connection.make_known()
                if (
                    not connection.is_refused
                    and number not in left
                    and number not in clients.closed
                ):
                    known.add(number)
            else:
                connection.leave()
                left.add(number)
        open_ = set(range(len(clients.connections))) - left - set(clients.closed)
        assert len([n for n in open_ if not clients.connections[n].is_refused]) <= 3
        assert len([n for n in open_ if clients.connections[n].is_refused]) <= 2
        assert not known & set(clients.closed)
