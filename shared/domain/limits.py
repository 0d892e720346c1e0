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
