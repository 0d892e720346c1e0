"""Data and decisions of jobs, queues, schedules, processes. Pure: no I/O, clock or random."""
