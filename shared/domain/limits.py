"""The limits of a job's fields. They hold for every way in: HTTP, command line, file and code."""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""The names of job types, queues and tags."""
NAME_RULE = "must be 1 to 64 letters, digits, _ . or -, beginning with a letter or digit"
"""NAME as a sentence for people."""
PRIORITIES = range(-1000, 1001)
MAX_RETRIES = 100
MAX_TAGS = 32
MAX_UNIQUE_KEY_CHARS = 255
MAX_BATCH_DEPENDENCIES = 100_000
"""Of all jobs of a batch together: they are stored in one transaction."""
MAX_DEPENDENCIES = 10_000
"""Of one job."""
MOST_ATTEMPTS = 1_000
"""How many ended attempts of a job are kept, the newest: a job may snooze for ever."""
LARGEST_ID = 2**63 - 1
TWO_STARTS = "delay and run_at cannot both be given"
ON_DUPLICATE = ("keep", "replace")
"""What a submission may do to the job that has its unique key and has not started."""
ON_DEPENDENCY_FAILURE = ("cancel", "run", "fail")
"""What may happen to a job when a job that it depends on does not end done."""
MAX_BATCH_JOBS = 10_000
MAX_DEPTH = 32
"""How deep objects and lists of a request's body may nest; the outermost one is 1."""
LONGEST_REASON = 1_000
"""Of the reason that an operator gives for an action, in characters."""
