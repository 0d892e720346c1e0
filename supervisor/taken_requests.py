"""Takes the requests of operators, and answers those that other hosts make."""

from collections.abc import Callable
from threading import Thread

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.errors import StorageError
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store

log = get_logger()


def take_requests(store: Store, host: str, open_store: Callable[[], Store]) -> list[Request]:
    """Return what operators ask of the processes of this host, oldest first.

    A stack for another host is sent on a thread of its own: the process may take seconds to show
    it. `open_store` opens a store for that thread.
    """
    taken: list[Request] = []
    for request in store.supervision.take_requests(host):
        if request.action is RequestAction.SEND_STACK:
            _start_to_send(open_store, request)
        else:
            taken.append(store.audit.with_asker(request))
    return taken


def _start_to_send(open_store: Callable[[], Store], request: Request) -> None:
    def send() -> None:
        from orpheus.shared.operations.supervisor_requests import send_stack  # noqa: PLC0415 - seldom

        try:
            send_stack(open_store, request)
        except StorageError as error:
            log.warning("stack_not_sent", slot=request.target, error=str(error))

    start_without_signals(Thread(target=send, name="stack", daemon=True))
