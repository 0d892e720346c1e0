"""The built-in job types, one file each; importing this registers them."""

from worker.handlers.flaky import flaky
from worker.handlers.sleep import sleep
from worker.handlers.sum_range import sum_range
from worker.handlers.wordcount import wordcount

__all__ = ["flaky", "sleep", "sum_range", "wordcount"]
