"""The memory of the C library, seen in processes of their own."""

import subprocess
import sys

import pytest

ARENAS = """
import ctypes, threading
from orpheus.shared.process.malloc import share_one_arena
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for _ in range(4):
    thread = threading.Thread(target=lambda: libc.malloc(1_000))
    thread.start()
    thread.join()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.parametrize(("first", "is_one"), [("", False), ("share_one_arena()", True)])
def test_threads_take_their_memory_from_one_arena_once_told(first: str, is_one: bool) -> None:
    script = [sys.executable, "-c", ARENAS.format(first=first)]
    told = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60).stdout
    assert (told.count("<heap nr=") == 1) is is_one
