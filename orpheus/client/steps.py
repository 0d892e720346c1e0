"""The methods of clients as steps: generators that yield what is to be done and get its result.

A blocking client and one with `await` differ only in how they perform a step. So each method is
written once, as a generator, and both kinds of client run it.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from orpheus.shared.storage import Store

T = TypeVar("T")


class Pause(msgspec.Struct, frozen=True):
    """Do nothing for `seconds`. The result is None."""

    seconds: float


class Compute(msgspec.Struct, frozen=True):
    """Call `work`, which takes long enough to delay an event loop.

    The result is what it returns.
    """

    work: Callable[[], Any]


class Use(msgspec.Struct, frozen=True):
    """Call `work` with the open database. The result is what it returns."""

    work: "Callable[[Store], Any]"


class Send(msgspec.Struct, frozen=True):
    """Send a request. The result is an Answer, or a Failure if there is none."""

    method: str
    path: str
    query: Mapping[str, str | int] = msgspec.field(default_factory=dict)
    body: bytes | None = None
    key: str | None = None
    """The Idempotency-Key, with which a submission can be sent again."""
    traceparent: str | None = None
    """The trace that a submission is part of."""
    hold_s: float = 0.0
    """For how long the server may keep the request before it answers."""
    done_already: int | None = None
    """The status of an answer that says that the action was done before; None: there is none."""

    is_same_again: bool = False
    """Whether the server does it once, however often it is sent."""

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does the same as sending it once."""
        if self.method == "GET" or self.is_same_again:
            return True
        return self.key is not None or self.done_already is not None


class Answer(msgspec.Struct, frozen=True):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(msgspec.Struct, frozen=True):
    """Why there is no answer. Not `was_sent`: the server has certainly not seen the request."""

    reason: str
    was_sent: bool


Step = Pause | Compute | Use | Send
Steps = Generator[Step, Any, T]


def run(steps: Steps[T], perform: Callable[[Step], Any]) -> T:
    """Perform each step, and return what the generator returns."""
    try:
        step = next(steps)
        while True:
            try:
                result = perform(step)
            except BaseException as error:
                steps.throw(error)  # it may have to end something; then it raises the error
                raise
            step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_awaited(steps: Steps[T], perform: Callable[[Step], Awaitable[Any]]) -> T:
    """Do the same with steps whose results are awaited."""
    try:
        step = next(steps)
        while True:
            try:
                result = await perform(step)
            except BaseException as error:
                steps.throw(error)
                raise
            step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
