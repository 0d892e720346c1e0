"""Job types that behave and misbehave in the ways a worker must stand."""

import asyncio
import atexit
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from orpheus import Context, job

print("printed while it is imported")  # noqa: T201


@job
def nap(ctx: Context, seconds: float = 0) -> None:
    """Sleep without looking up."""
    time.sleep(seconds)


@job
def chatty(ctx: Context, wait_for: str) -> str:
    """Print and log, then run until a file is there."""
    print("printed")  # noqa: T201
    logging.getLogger("some.library").info("logged")
    ctx.log.warning("told", n=3)
    ctx.progress(0.5, "half way")
    while not Path(wait_for).exists():
        time.sleep(0.01)
    print("at last", end="")  # noqa: T201
    return "done"


@job
def counting(ctx: Context, file: str) -> None:
    """Log a number, and say so in a file, 200 times a second at most."""
    with Path(file).open("w") as told:
        for number in range(1_000_000):
            ctx.log.info(str(number))
            told.write(f"{number}\n")
            told.flush()
            time.sleep(0.005)


@job
def obedient(ctx: Context) -> None:
    """Stop when cancelled."""
    while True:
        ctx.check_cancelled()
        time.sleep(0.01)


@job
async def awaiting(ctx: Context) -> None:
    """Never looks up, but awaits."""
    await asyncio.sleep(600)


@job
def spinning(ctx: Context) -> None:
    """Never looks up."""
    while True:
        pass


@job(max_retries=0)
def deaf(ctx: Context) -> None:
    """Not even a timeout stops it."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


@job
def parent(
    ctx: Context, children: list[dict[str, Any]], delay: str = "0", fail: bool = False
) -> int:
    """Submit others with its end."""
    for fields in children:
        ctx.enqueue(fields.pop("type"), fields.pop("payload", None), delay=delay, **fields)
    if fail:
        raise RuntimeError("after all")
    return len(children)


@job
def arming(ctx: Context, point: str, deed: str) -> None:
    """In its first attempt, arm a failpoint that its worker comes to later."""
    if ctx.attempt == 1:
        Path(os.environ["ORPHEUS_FAILPOINTS"], point).write_text(deed)


@job
def holding_the_gil(ctx: Context, seconds: int) -> None:
    """Sleep in C code that lets no Python code run."""
    ctypes.PyDLL(None).sleep(seconds)


@job
def noting_its_process(ctx: Context, file: str) -> None:
    """Say in a file which process runs it."""
    with Path(file).open("a") as told:
        told.write(f"{ctx.job_id} {os.getpid()}\n")


def leave(how: str) -> None:
    """Leave a handler in one of the ways that there are."""
    if how == "error":
        raise ValueError("the child leaves")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "exit":
        sys.exit(7)
    if how == "exit with a message":
        sys.exit("the child leaves")


def wait_for_child(pid: int) -> int:
    """Return the exit code of a child."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@job(timeout="20s", max_retries=0)
def forking_and_leaving(ctx: Context, how: str) -> int:
    """Fork a child that leaves the handler."""
    if pid := os.fork():
        return wait_for_child(pid)
    leave(how)
    return 5


@job(timeout="20s", max_retries=0)
async def forking_in_a_coroutine(ctx: Context, how: str) -> int:
    """Fork a child that leaves the coroutine, whose loop the parent goes on using."""
    await asyncio.sleep(0.01)
    if pid := os.fork():
        code = wait_for_child(pid)
        await asyncio.to_thread(time.sleep, 0.01)
        return code
    leave(how)
    return 5


@job(timeout="20s", max_retries=0)
def forking_in_a_thread(ctx: Context) -> int:
    """Fork in a thread; the child ends when its thread does."""
    codes = []

    def fork() -> None:
        if pid := os.fork():
            codes.append(wait_for_child(pid))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    return codes[0]


@job(timeout="20s", max_retries=0)
def using_the_context_in_a_child(ctx: Context, file: str) -> list[str]:
    """Say what the context and the descriptors of a forked child are good for."""
    if pid := os.fork():
        wait_for_child(pid)
        return Path(file).read_text().splitlines()
    said = []
    for use in (
        lambda: ctx.results,
        lambda: ctx.enqueue("nap"),
        lambda: ctx.progress(0.5),
        ctx.check_cancelled,
        lambda: ctx.log.info("told by the child", n=1),
        lambda: print("printed by the child"),  # noqa: T201
    ):
        try:
            use()
        except RuntimeError as error:
            said.append(str(error))
    said += [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    Path(file).write_text("\n".join(said))
    os._exit(0)


def die(how: str) -> None:
    """End this process at once."""
    if how == "exit":
        os._exit(3)
    ctypes.memset(0, 0, 1) if how == "segfault" else os.kill(os.getpid(), signal.SIGKILL)


@job
def dying(ctx: Context, how: str, lines: int = 1) -> None:
    """Say something in every way, and die before it can be stored."""
    for number in range(lines):
        print("printed", number)  # noqa: T201
    ctx.log.warning("logged", number=lines)
    logging.getLogger("some.library").error("recorded")
    sys.stderr.write("complained\n")
    os.write(1, b"written by C code\n")
    subprocess.run(["/bin/echo", "said by a program"], check=True)
    print("not a whole line", end="")  # noqa: T201
    die(how)


@job(timeout="20s", max_retries=0)
def shouting(ctx: Context) -> None:
    """Write more than a pipe holds, in every way that leads to stderr or stdout."""
    for number in range(4_000):
        sys.stderr.write(f"stderr {number}\n")
    logging.getLogger("some.library").warning("recorded")
    os.write(2, b"x" * 70_000 + b"\n")
    subprocess.run(["/bin/sh", "-c", "seq 20000 >&2; echo the end"], check=True)
    os.write(1, b"last words")


@job
def leaving_a_thread(ctx: Context) -> None:
    """Return, but leave a thread that never ends."""
    threading.Thread(target=time.sleep, args=(600,), name="left-behind").start()


@job
def leaving_a_child(ctx: Context) -> None:
    """Return, but leave a process and a function that Python waits for at its exit."""
    multiprocessing.Process(target=time.sleep, args=(600,)).start()
    atexit.register(time.sleep, 600)


@job(timeout="20s", max_retries=0)
def speaking_in_a_child(ctx: Context) -> int:
    """Print and log in a forked child, which then raises."""
    if pid := os.fork():
        return wait_for_child(pid)
    print("printed by the child")  # noqa: T201
    ctx.log.info("logged by the child", n=1)
    logging.getLogger("some.library").warning("recorded by the child")
    raise ValueError("the child leaves")


@job(max_retries=0)
def wandering(ctx: Context, folder: str, spin: bool = False) -> str:
    """Change the directory, and use the database."""
    before = str(Path.cwd())
    os.chdir(folder)
    ctx.enqueue("nap")
    while spin:
        pass
    return before
