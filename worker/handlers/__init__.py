"""The built-in job types; importing this registers them."""

from orpheus.worker.handlers.calls import webhook
from orpheus.worker.handlers.simple import flaky, sleep, sum_range, wordcount

__all__ = ["flaky", "sleep", "sum_range", "webhook", "wordcount"]
