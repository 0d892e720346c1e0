"""A reverse proxy that serves a server on this machine below a prefix, and nothing else."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def prefix_proxy(port: int, prefix: str, *, keeps: bool) -> Iterator[str]:
    """Yield the URL below which the server at `port` is. `keeps`: it gets the prefix, too.

    Each connection carries one request. What is not below the prefix is answered with 404.
    """

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, _, rest = self.rfile.readline().decode("latin-1").partition(" ")
            if not rest.startswith(f"{prefix}/"):
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
                return
            lines = [f"{method} {rest if keeps else rest.removeprefix(prefix)}"]
            while lines[-1].strip():
                lines.append(self.rfile.readline().decode("latin-1"))
            if not any(line.lower().startswith("upgrade:") for line in lines):
                lines = [line for line in lines if not line.lower().startswith("connection:")]
                lines.insert(1, "Connection: close\r\n")
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                upstream.sendall("".join(lines).encode("latin-1"))
                up = threading.Thread(target=_copy, args=(self.rfile.read1, upstream), daemon=True)
                up.start()
                _copy(upstream.recv, self.connection)

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 100

    with Proxy(("127.0.0.1", 0), Connection) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}{prefix}"
        finally:
            proxy.shutdown()


def _copy(read: Callable[[int], bytes], target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := read(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
