"""`python -m tests.named_host NAME …`: Orpheus as it runs on a host of that name."""

import runpy
import socket
import sys

if __name__ == "__main__":
    name = sys.argv.pop(1)
    socket.gethostname = lambda: name
    runpy.run_module("orpheus.supervisor", run_name="__main__", alter_sys=True)
