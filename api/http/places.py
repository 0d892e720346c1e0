"""Places of connections: who keeps one, and who gives one up, when there are too many clients.

A connection is unknown until a request on it has passed the guard: with a token, until its client
has sent the token or a session. A new connection takes the place of the oldest unknown one, so
clients without a token cannot keep out those that have it, however many they are. Where all places
belong to known clients, a new connection is refused: it gets one answer, 503, or 200 from a probe.

Pure: closing is the caller's.
"""

from collections.abc import Callable


class ClientPlace:
    """The place of one connection. `is_refused`: it came when known clients had all places."""

    __slots__ = ("_places", "close", "is_refused")

    def __init__(self, places: "Places", close: Callable[[], None], *, is_refused: bool) -> None:
        self._places = places
        self.close = close
        self.is_refused = is_refused

    def make_known(self) -> None:
        """Keep the place until the client leaves."""
        self._places.make_known(self)

    def leave(self) -> None:
        """Give the place back; ignored if it was given up already."""
        self._places.leave(self)


class Places:
    """`most` places, and room for `most_refused` connections that are only refused."""

    def __init__(self, most: int, most_refused: int) -> None:
        self._most = most
        self._most_refused = most_refused
        self._known: set[ClientPlace] = set()
        self._unknown: dict[ClientPlace, None] = {}  # the oldest first
        self._refused: dict[ClientPlace, None] = {}

    def take(self, close: Callable[[], None]) -> ClientPlace:
        """Return the place of a new connection, which `close` closes if it must be given up."""
        is_full = len(self._known) + len(self._unknown) >= self._most
        if not is_full or self._give_up(self._unknown):
            place = ClientPlace(self, close, is_refused=False)
            self._unknown[place] = None
            return place
        if len(self._refused) >= self._most_refused:
            self._give_up(self._refused)
        place = ClientPlace(self, close, is_refused=True)
        self._refused[place] = None
        return place

    def give_up_oldest(self) -> None:
        """Close the oldest connection that is refused or unknown, if there is one."""
        if not self._give_up(self._refused):
            self._give_up(self._unknown)

    def make_known(self, place: ClientPlace) -> None:
        """Let a connection that is unknown keep its place."""
        if place in self._unknown:
            del self._unknown[place]
            self._known.add(place)

    def leave(self, place: ClientPlace) -> None:
        """Forget a connection."""
        self._known.discard(place)
        self._unknown.pop(place, None)
        self._refused.pop(place, None)

    @staticmethod
    def _give_up(places: dict[ClientPlace, None]) -> bool:
        oldest = next(iter(places), None)
        if oldest is None:
            return False
        del places[oldest]
        oldest.close()
        return True
