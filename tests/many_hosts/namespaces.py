"""Hosts as network namespaces, each with a cable to a router between them.

Packets are lost there as in a real network: no connection is closed, nobody is told, and TCP sends
again and again. No namespace has a name: each is there as long as the process that holds it, which
is killed with the tests. Nothing of the machine's own network is changed.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tests.machine import wait_until

_CLONE_NEWNET = 0x40000000
_HELD = ["setpriv", "--pdeathsig=KILL", "unshare", "--net", "--", "sleep", "infinity"]


class Line(Protocol):
    """What is between a host and the database, where a network can fail."""

    def cut(self, *, sent: bool = True, received: bool = True) -> None:
        """Let what the host sends, or is sent, get lost from now on."""

    def unplug(self) -> None:
        """Let nothing pass, as without a cable."""

    def heal(self) -> None:
        """Let everything pass again."""


class Namespace:
    """A network of its own, in which there is only loopback."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(_HELD, stdin=-3, stdout=-3)
        self._path = Path(f"/proc/{self._holder.pid}/ns/net")
        own = Path("/proc/self/ns/net").readlink()
        wait_until(lambda: self._path.readlink() != own, "a network namespace")
        self.enter = ("nsenter", f"--net={self._path}", "--")
        """How a command begins that is to run there."""
        self.ip("link", "set", "lo", "up")

    def ip(self, *command: str) -> None:
        """Execute a command of iproute2 there."""
        self.run("ip", *command)

    def run(self, *command: str) -> None:
        """Execute a command there."""
        subprocess.run([*self.enter, *command], check=True)

    def take_cable(self, name: str, other: "Namespace", others_name: str) -> None:
        """Connect it with another one: a network card here, and one there."""
        there = str(other._holder.pid)
        card = ("add", "name", name, "type", "veth")
        self.ip("link", *card, "peer", "name", others_name, "netns", there)

    def socket(self) -> socket.socket:
        """Make a TCP socket that is there: it stays so, whoever uses it."""
        made: list[socket.socket] = []

        def make() -> None:
            with self._path.open("rb") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket())

        thread = threading.Thread(target=make)  # only this thread is moved there
        thread.start()
        thread.join()
        return made[0]

    def end(self) -> None:
        """Let it go, once the last process in it has ended."""
        self._holder.kill()
        self._holder.wait()


class HostNamespace(Namespace):
    """A namespace whose cable leads to a router. It is the `Line` of the host that lives there."""

    def __init__(self, router: Namespace, number: int) -> None:
        super().__init__()
        self._router = router
        self._card = f"to{number}"
        self.address = f"10.99.{number}.2"
        gateway = f"10.99.{number}.1"
        router.take_cable(self._card, self, "eth0")
        for namespace, card, own in ((router, self._card, gateway), (self, "eth0", self.address)):
            namespace.ip("address", "add", f"{own}/24", "dev", card)
            namespace.ip("link", "set", card, "up")
        self.ip("route", "add", "default", "via", gateway)
        self._rules: list[tuple[str, str]] = []

    def cut(self, *, sent: bool = True, received: bool = True) -> None:
        """See Line. The router drops it."""
        for side, is_lost in (("from", sent), ("to", received)):
            if is_lost:
                self._router.ip("rule", "add", side, self.address, "blackhole")
                self._rules.append((side, self.address))

    def unplug(self) -> None:
        """See Line."""
        self._router.ip("link", "set", self._card, "down")

    def heal(self) -> None:
        """See Line."""
        self._router.ip("link", "set", self._card, "up")
        while self._rules:
            self._router.ip("rule", "delete", *self._rules.pop(), "blackhole")


@contextmanager
def namespaces(n: int) -> Iterator[list[HostNamespace]]:
    """So many namespaces that reach each other over a router; none if the machine allows none."""
    tried = subprocess.run(["unshare", "--net", "true"], check=False, stderr=-3)
    if os.getuid() != 0 or tried.returncode:
        yield []
        return
    with ExitStack() as stack:
        router = Namespace()
        stack.callback(router.end)
        router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        made = []
        for number in range(n):
            made.append(HostNamespace(router, number))
            stack.callback(made[-1].end)
        yield made
