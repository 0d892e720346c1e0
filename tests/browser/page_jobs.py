"""Job types whose pages have much to show: flows, long logs, naps and crashes."""

import ctypes
import time
from pathlib import Path
from typing import Any

from orpheus import Context, PermanentError, job


@job
def step(ctx: Context, seconds: float = 0.0, fail: bool = False) -> None:
    """One step of a flow."""
    time.sleep(seconds)
    if fail:
        raise PermanentError("this step\nis bad")


@job
def chatter(ctx: Context, lines: int) -> int:
    """Write a long log: of a hundred lines, one is a warning."""
    for number in range(lines):
        tell = ctx.log.warning if number % 100 == 99 else ctx.log.info
        tell(f"line {number} {'and on ' * (number % 9)}")
    return lines


@job
def hold(ctx: Context, until: str, lines: int = 0) -> None:
    """Run until a file is there; before and afterwards, write lines to the log."""
    chatter(ctx, lines)
    while not Path(until).exists():
        time.sleep(0.02)
    chatter(ctx, lines)


@job(max_retries=0)
def publish(ctx: Context, pages: int, paper: int = 0) -> int:
    """Print pages until the paper is used up."""
    for page in range(1, pages + 1):
        if page > paper:
            ctx.log.error("the printer is out of paper", page=page)
            raise RuntimeError(f"page {page} of {pages} was not printed")
        ctx.log.info("printed", page=page, kilobytes=12 * page)
        ctx.progress(page / pages)
    return pages


@job(max_retries=0)
def onboard(ctx: Context, account: int, mailbox: str) -> str:
    """Open an account, when a person has approved it."""
    opened = ctx.step(
        "open account", lambda: {"account": account, "plan": "starter", "a_day": {"mails": 10}}
    )
    decision = ctx.wait_signal("approval", key=account, timeout="7d")
    ctx.gather("checks", [step.new() for _ in range(3)])
    ctx.sleep("cool down", "1h")
    ctx.step("welcome", Path(mailbox).read_text)
    return f"{opened['account']} approved by {decision['by']}"


@job(max_retries=0)
def crash(ctx: Context) -> None:
    """Kill the worker."""
    ctypes.string_at(0)


@job(max_retries=1, timeout="20s")
def options(ctx: Context, text: str, more: dict[str, Any] | None = None) -> str:
    """Take a payload with a nested object."""
    return text
