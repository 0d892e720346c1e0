"""The built-in job types, one file each; importing this registers them."""

from orpheus.worker.handlers.flaky import flaky
from orpheus.worker.handlers.ping_if_well import ping_if_well
from orpheus.worker.handlers.sleep import sleep
from orpheus.worker.handlers.sum_range import sum_range
from orpheus.worker.handlers.webhook import webhook
from orpheus.worker.handlers.wordcount import wordcount

__all__ = ["flaky", "ping_if_well", "sleep", "sum_range", "webhook", "wordcount"]
