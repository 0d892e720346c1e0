"""The built-in job types, one file each; importing this registers them."""

from orpheus.worker.handlers.flaky import flaky
from orpheus.worker.handlers.sleep import sleep
from orpheus.worker.handlers.sum_range import sum_range
from orpheus.worker.handlers.wordcount import wordcount

__all__ = ["flaky", "sleep", "sum_range", "wordcount"]
