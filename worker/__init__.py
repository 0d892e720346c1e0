"""The worker: runs jobs, in a process of its own."""
